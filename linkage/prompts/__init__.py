"""Prompts: fingerprints of what an account asks for, from raw text that is never kept.

`tokens` reads text, `sketch` keeps what is needed of it, `near` clusters near-duplicates of single prompts.
`outlines` reads templates off all that an account sends, `alike` finds those of other accounts.
"""

from linkage.prompts.near import near_duplicates

__all__ = ["near_duplicates"]
