"""Prompts as sketches, when their text is gone: which are near duplicates of each other."""

from linkage.prompts.near import near_duplicates

__all__ = ["near_duplicates"]
