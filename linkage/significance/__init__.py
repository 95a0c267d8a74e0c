"""Significance: how easily chance makes a ring as strong.

`rewire` draws a null model: the same sightings, tied at random. `nulls` searches several of them as the real ones were
searched, and `q_values` compares. All of it answers "could chance link them?", never "are they guilty?".
"""

from linkage.significance.nulls import MOST_NULLS, Found, NullModel, how_many, how_many_more, search_nulls, standing
from linkage.significance.q_values import LISTED_Q, Significance, q_values, significance
from linkage.significance.rewire import by_chance, rewired

__all__ = [
    "LISTED_Q",
    "MOST_NULLS",
    "Found",
    "NullModel",
    "Significance",
    "by_chance",
    "how_many",
    "how_many_more",
    "q_values",
    "rewired",
    "search_nulls",
    "significance",
    "standing",
]
