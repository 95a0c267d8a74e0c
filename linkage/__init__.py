"""Find rings of accounts by what they share.

`linkage.Case` opens a case file and answers in pandas DataFrames; the command line is `linkage --help`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linkage.api import Case

__version__ = "0.2.0"
__all__ = ["Case", "__version__"]


def __getattr__(name: str) -> Any:
    # pandas takes half a second to import: `linkage --help` must not pay for the Python API.
    if name == "Case":
        from linkage.api import Case

        return Case
    raise AttributeError(f"module 'linkage' has no attribute {name!r}")
