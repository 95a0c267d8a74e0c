"""Files that spreadsheets, shells and people mangled, made from one table by a seed; each with what may come of it."""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linkage import store
from linkage.ingest import ingest, rejects

Rows = list[list[str]]

HEADER: Final = ["account_id", "at", "exchange_id", "ip", "model", "input_tokens", "note"]

Truth = set[tuple[str, str, str, str, int]]
"""Account, time, id, address and tokens of every row."""


@dataclass(frozen=True)
class Mangled:
    """A file.

    Attributes:
        what: how it was mangled, for the name of a failure.
        name: the file's.
        content: its bytes.
        truth: what its rows say.
        whole: every row must be read; else some may be set aside, or the file refused, but none read as anything else.
    """

    what: str
    name: str
    content: bytes
    truth: Truth
    whole: bool


def table(dice: random.Random, first: int) -> Rows:
    """Exchanges of a few accounts, by ids from `first` on, with notes that hold what breaks files."""
    notes = [
        "",
        "plain",
        "a, b",
        "a;b",
        'say "x"',
        "tab\there",
        "né à Zürich",
        "Total",
        "1.234,56",
        "line\nbreak",
        "'",
        "|",
    ]
    return [
        [
            f"acct_{dice.randrange(5)}",
            f"2026-02-{dice.randrange(1, 29):02d}T10:{dice.randrange(60):02d}:00Z",
            f"x{first + at}",
            f"8.8.{dice.randrange(256)}.{dice.randrange(1, 255)}",
            "m-1",
            str(dice.randrange(1, 5_000)),
            dice.choice(notes),
        ]
        for at in range(dice.randrange(3, 12))
    ]


def truth(rows: Rows) -> Truth:
    """What the rows say."""
    return {(r[0], r[1].replace("T", " ").removesuffix("Z"), r[2], r[3], int(r[5])) for r in rows}


def text(rows: Rows, delimiter: str = ",", end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:
    """The table as CSV."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([HEADER, *rows])  # type: ignore[arg-type]
    return out.getvalue()


def _without_breaks(rows: Rows) -> Rows:
    return [[cell.replace("\n", " ") for cell in row] for row in rows]


def _grouped(rows: Rows, mark: str) -> Rows:
    return [[*row[:5], f"{int(row[5]):,}".replace(",", mark), row[6]] for row in rows]


def _cut(content: str, dice: random.Random) -> str:
    return content[: dice.randrange(len(content) // 2, len(content))]


def _mixed(content: str, dice: random.Random) -> str:
    return "".join(line + dice.choice(("\n", "\r\n")) for line in content.split("\n")[:-1])


Way = Callable[[Rows, random.Random], tuple[str | bytes, bool]]

WAYS: Final[dict[str, Way]] = {
    "plain": lambda rows, _: (text(rows), True),
    "semicolons": lambda rows, _: (text(rows, ";"), True),
    "bars": lambda rows, _: (text(rows, "|"), True),
    "tabs": lambda rows, _: (text(rows, "\t"), True),
    "all quoted": lambda rows, _: (text(rows, ";", quoting=csv.QUOTE_ALL), True),
    "windows": lambda rows, _: (text(rows, end="\r\n"), True),
    "bom": lambda rows, _: ("\ufeff" + text(rows), True),
    "bom and sep": lambda rows, _: ("\ufeffsep=;\r\n" + text(rows, ";", "\r\n"), True),
    "sep": lambda rows, dice: (f"sep={(mark := dice.choice(',;|'))}\n" + text(rows, mark), True),
    "mixed ends": lambda rows, dice: (_mixed(text(_without_breaks(rows)), dice), False),
    "no last end": lambda rows, _: (text(rows).removesuffix("\n"), True),
    "blank lines": lambda rows, _: (text(_without_breaks(rows)).replace("\nacct", "\n\nacct") + "\n\n", True),
    "header twice": lambda rows, _: (text(rows) + text(rows[:0]), False),
    "joined files": lambda rows, _: (text(rows[:2]) + text(rows[2:]), False),
    "total": lambda rows, _: (text(rows) + f"Total,,,,,{sum(int(row[5]) for row in rows)},\n", False),
    "grand total": lambda rows, _: (text(rows) + "Grand Total:,2026-02-01,,,,1,\n", False),
    "psql": lambda rows, _: (text(rows) + f"({len(rows)} rows)\n", False),
    "thousands, comma": lambda rows, _: (text(_grouped(rows, ",")), False),
    "thousands, point": lambda rows, _: (text(_grouped(rows, "."), ";"), False),
    "thousands, blank": lambda rows, _: (text(_grouped(rows, " ")), False),
    "thousands, thin blank": lambda rows, _: (text(_grouped(rows, "\u202f")), False),
    "utf-16": lambda rows, _: (text(rows).encode("utf-16"), False),
    "utf-16 without bom": lambda rows, _: (text(rows).encode("utf-16-le"), False),
    "latin-1": lambda rows, _: (text(rows).encode("latin-1"), False),
    "utf-32": lambda rows, _: (text(rows).encode("utf-32"), False),
    "nul bytes": lambda rows, _: (text(rows).replace("m-1", "m\0-1"), False),
    "returns alone": lambda rows, _: (text(rows, end="\r"), False),
    "cut off": lambda rows, dice: (_cut(text(_without_breaks(rows)), dice), False),
    "quote unclosed": lambda rows, _: (text(rows).replace("m-1", '"m-1', 1), False),
    "quotes by backslash": lambda rows, _: (text(rows).replace('""', '\\"'), False),
    "single quotes": lambda rows, _: (text(_without_breaks(rows)).replace('"', "'"), False),
    "title line": lambda rows, _: ("Export of February\n" + text(rows), False),
    "title lines": lambda rows, _: ("Report,February\nMade by,us\n\n" + text(rows), False),
    "no header": lambda rows, _: (text(rows).partition("\n")[2], False),
    "columns missing": lambda rows, dice: (text([row[: dice.randrange(1, 7)] for row in rows]), False),
    "columns over": lambda rows, _: (text([[*row, "more", "and more"] for row in rows]), False),
    "column twice": lambda rows, _: (text(rows).replace("note", "at", 1), False),
    "shifted": lambda rows, _: (text([["", *row[:-1]] for row in rows]), False),
    "padded": lambda rows, _: (text([[f" {cell} " for cell in row] for row in _without_breaks(rows)]), True),
    "padded header": lambda rows, _: (text(rows).replace("account_id,at,", " Account_ID , AT ,", 1), True),
    "excel dates": lambda rows, _: (text([[row[0], "46054.5", *row[2:]] for row in rows]), False),
    "american dates": lambda rows, _: (text([[row[0], "02/03/2026 10:00", *row[2:]] for row in rows]), False),
    "formula ids": lambda rows, _: (text([[f'="{row[0]}"', *row[1:]] for row in rows]), False),
    "tabs in a csv of commas": lambda rows, _: (text(rows).replace(",", ",\t"), False),
    "delimiters mixed": lambda rows, _: (text(rows[:2]) + text(rows[2:], ";").partition("\n")[2], False),
    "zero bytes": lambda _rows, _dice: (b"", False),
    "header alone": lambda rows, _: (text(rows[:0]), False),
    "html": lambda rows, _: ("<html><body>" + text(rows) + "</body></html>\n", False),
    "json": lambda rows, _: ('{"error": "not found"}\n', False),
    "a zip": lambda rows, _: (b"PK\x03\x04" + bytes(range(256)), False),
}
"""Way to what it makes of a table, and whether every row must be read."""


def corpus(seed: int, size: int) -> list[Mangled]:
    """`size` files, each way in turn."""
    dice = random.Random(seed)
    found = []
    for at in range(size):
        what, way = list(WAYS.items())[at % len(WAYS)]
        rows = table(dice, 100 * at)
        if what == "latin-1":
            rows = [[cell.replace("\u202f", " ") for cell in row] for row in rows]
        content, whole = way(rows, dice)
        if what == "header alone":
            rows = []
        raw = content.encode() if isinstance(content, str) else content
        found.append(Mangled(what, f"exchanges-{at:03d}.{'tsv' if what == 'tabs' else 'csv'}", raw, truth(rows), whole))
    return found


def check(files: list[Mangled], tmp_path: Path) -> None:
    """Ingest the files, and compare each with what it says."""
    folder = tmp_path / "in"
    folder.mkdir()
    for file in files:
        (folder / file.name).write_bytes(file.content)
    case = tmp_path / "c.duckdb"
    report = ingest([folder], case)
    refused = {one.path.name: one.error for one in report.refused}
    aside = {one.file for one in rejects(case)}
    with store.reading(case) as con:
        rows = con.execute(
            """SELECT f.name, account_id, "at"::VARCHAR, exchange_id, ip, input_tokens
            FROM exchanges JOIN files f USING (file)"""
        ).fetchall()
    read: dict[str, set[tuple[object, ...]]] = {}
    for name, *values in rows:
        read.setdefault(name, set()).add(tuple(values))
    faults = []
    for file in files:
        found = read.get(file.name, set())
        missing = file.truth - found
        if file.name in refused and (file.whole or found or "\n" in refused[file.name]):
            faults.append((file.what, refused[file.name]))
        elif found - file.truth:
            faults.append((file.what, f"misread: {found - file.truth}"))
        elif file.name not in refused and missing and (file.whole or file.name not in aside):
            faults.append((file.what, f"missed without a word: {missing}"))
    assert not faults, "\n".join(f"{what}: {str(fault)[:160]}" for what, fault in faults)
