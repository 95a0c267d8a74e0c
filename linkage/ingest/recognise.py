"""Which source a file comes from, by what its columns are called.

A preset's signs are columns that no other known source has. A file is recognised by three of them or more, if no other
preset has half as many. One that has fewer, or two presets' alike, is not guessed at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from linkage.ingest.locate import has
from linkage.ingest.mapped import start
from linkage.ingest.mapping import Preset, presets
from linkage.ingest.shape import Shape, look
from linkage.ingest.sources import Source

SURE: Final = 3
"""Signs of a preset that it takes to recognise a file."""

_LINES: Final = 0.8
"""The part of a text log's first lines that must be as a preset says."""


@dataclass(frozen=True)
class Recognised:
    """A preset that a file may be of.

    Attributes:
        preset: the preset.
        signs: those of its signs that the file has.
        columns: how many of its other columns the file has.
    """

    preset: Preset
    signs: tuple[str, ...]
    columns: int

    @property
    def why(self) -> str:
        """What speaks for it: `Card Fingerprint, Seller Message and 12 more columns are its own`."""
        if self.preset.line:
            return "its lines are of that format"
        shown, more = self.signs[:3], len(self.signs) - 3
        if more > 0:
            return f"{', '.join(shown)} and {more} more columns are its own"
        return f"{', '.join(shown)} {'are' if len(shown) > 1 else 'is'} its own"


def candidates(source: Source) -> list[Recognised]:
    """The presets that a file has any sign of, the one with most first.

    Raises:
        InputError: the file is not what its name says.
    """
    found = []
    for preset in presets().values():
        if bool(preset.line) != (source.format == "log"):
            continue
        shape = start(source, preset)
        if preset.line:
            lines = look(source).records
            if lines and len(shape.records) >= _LINES * len(lines):
                found.append(Recognised(preset, tuple(shape.names), 0))
            continue
        signs, columns = (
            tuple(path for path in paths if any(has(shape, place) for place in preset.places(path)))
            for paths in (preset.signs, preset.columns)
        )
        if signs:
            found.append(Recognised(preset, signs, len(columns)))
    return sorted(found, key=lambda one: (-len(one.signs), -one.columns, one.preset.name))


def may_be_known(columns: Sequence[str]) -> bool:
    """Whether the names of columns alone are a reason to look at a table."""
    shape = Shape(tuple(columns), ())
    return any(sum(has(shape, sign) for sign in preset.signs) >= SURE for preset in presets().values())


def is_sure(found: list[Recognised]) -> bool:
    """Whether the first of `candidates` is what the file is."""
    if not found:
        return False
    best, second = len(found[0].signs), len(found[1].signs) if len(found) > 1 else 0
    return bool(found[0].preset.line) or (best >= SURE and best >= 2 * second)
