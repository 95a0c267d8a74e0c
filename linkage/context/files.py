"""Read the free lists of networks and domains as they are published.

    asn           start,end,asn,organisation       ip-location-db; also tab-separated with a country before the name
                                                   (iptoasn), and cidr,asn,organisation
    a type        one a line: 203.0.113.0/24, 203.0.113.7, 203.0.113.0-203.0.113.9, 2001:db8::/32, AS64500
    domains       one a line

Comments (`#`, `;`), empty lines and a heading are passed over; so is a network that nobody announces (AS 0). A line
that cannot be read is told with its number and set aside.
"""

import csv
import gzip
import heapq
import io
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from linkage.context.model import AUTONOMOUS_SYSTEMS, DOMAINS
from linkage.errors import InputError, translate

MAPPED: Final = 0xFFFF << 32
"""IPv4 addresses are numbered as IPv6 has them: ::ffff:0:0/96. So one order holds both."""

WIDEST: Final = {4: 6, 6: 12}
"""The shortest prefix of a network, by version: a line that covers more than a 64th of all addresses is a mistake."""

FEW: Final = 3
"""With so many times as many lines that cannot be read as others a file is another kind of list."""

MOST: Final = 1 << 30
"""IPv4 addresses that a list of a type may cover: a quarter of all."""

_DOMAIN: Final = re.compile(r"(?=.{3,253}$)[^\s@/:,;#]+(\.[^\s@/:,;#]+)+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}|None")
_SYSTEM: Final = re.compile(r"(?:AS)?(\d{1,10})", re.IGNORECASE)

Range = tuple[int, int, int, str]
"""First and last address, as numbers, and of whom: AS number (0 for none) and name."""


@dataclass
class Content:
    """What a table's files hold.

    Attributes:
        ranges: sorted, without overlaps.
        systems: numbers of autonomous systems that were listed themselves.
        domains: lower case.
        overlaps: ranges that began inside another one; there the narrower counts.
        rejected: how many lines could not be read.
        examples: file, line and reason of the first of them.
    """

    ranges: list[Range] = field(default_factory=list)
    systems: set[int] = field(default_factory=set)
    domains: set[str] = field(default_factory=set)
    overlaps: int = 0
    rejected: int = 0
    examples: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many there are of all of them."""
        return len(self.ranges) + len(self.systems) + len(self.domains)


def read(source: str, paths: list[Path], examples: int = 5) -> Content:
    """Read the files of one table.

    Args:
        source: one of `model.SOURCES`.
        paths: text, plain or `.gz`.
        examples: of so many lines that could not be read the reason is kept.

    Raises:
        InputError: a file is no text, or holds nothing of the kind, or mostly lines that cannot be read.
        NotFoundError, MachineError: it cannot be opened.
    """
    content = Content()
    take = _domain if source in DOMAINS else _system if source == AUTONOMOUS_SYSTEMS else _network
    for path in paths:
        taken, before = 0, content.rejected
        try:
            with _open(path) as file:
                for number, cells in _lines(file):
                    reason = take(cells, content)
                    taken += not reason
                    if reason and (number > 1 or _has_address(cells)):
                        content.rejected += 1
                        if len(content.examples) < examples:
                            content.examples.append((path.name, number, reason))
        except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, csv.Error):
            raise InputError(f"{path} is no list in plain text or .gz.", "Its form: docs/context.md") from None
        except OSError as exc:
            raise translate(exc, f"reading {path}") from None
        if taken * FEW <= content.rejected - before:
            first = next((f" (line {line}: {why})" for name, line, why in content.examples if name == path.name), "")
            raise InputError(f"{path} is no list for {source}{first}.", "Its form: docs/context.md")
    content.ranges, content.overlaps = flatten(content.ranges)
    covered = sum(last - first + 1 for first, last, _, _ in content.ranges if first >> 32 == MAPPED >> 32)
    if source != AUTONOMOUS_SYSTEMS and covered > MOST:
        raise InputError(
            f"The list for {source} covers {covered / 2**32:.0%} of all IPv4 addresses, which no type of network does.",
            "A table of autonomous systems goes in as: linkage context add asn FILE",
        )
    return content


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(cast("IO[bytes]", gzip.open(path, "rb")), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _lines(file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that says anything."""
    for number, line in enumerate(file, 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if "\t" in text:
            yield number, [cell.strip() for cell in text.split("\t")]
        elif '"' in text:
            yield number, [cell.strip() for cell in next(csv.reader([text]))]
        else:
            yield number, [cell.strip() for cell in text.split(",")]


def _has_address(cells: list[str]) -> bool:
    return any(_number(cell.partition("/")[0]) for cell in cells[:2]) or bool(_DOMAIN.fullmatch(cells[0]))


def _system(cells: list[str], content: Content) -> str:
    """Take a line of a table of autonomous systems; returns what is wrong with it, or ""."""
    if "/" in cells[0]:
        span, rest = _span(cells[0]), cells[1:]
    elif len(cells) > 2:
        span, rest = _between(cells[0], cells[1]), cells[2:]
    else:
        return "no start, end and AS number"
    if isinstance(span, str):
        return span
    known = _SYSTEM.fullmatch(rest[0]) if rest else None
    if not known or int(known[1]) >= 2**32:
        return "no AS number"
    if int(known[1]):
        # A country, which comes before the name in some lists, is left out: it must not enter a score.
        named = rest[2:] if len(rest) == 3 and _COUNTRY.fullmatch(rest[1]) else rest[1:]
        content.ranges.append((*span, int(known[1]), _name(named)))
    return ""


def _name(cells: list[str]) -> str:
    name = " ".join(cells).strip()[:200]
    return name if name.isprintable() else "".join(char for char in name if char.isprintable())


def _network(cells: list[str], content: Content) -> str:
    """Take a line of a list of networks."""
    text = cells[0].partition("#")[0].partition(" ")[0]
    if text[:2].upper() == "AS" and (known := _SYSTEM.fullmatch(text)):
        content.systems.add(int(known[1]))
        return ""
    paired = len(cells) > 1 and _number(cells[1]) > 0
    if paired and len(cells) > 2 and _SYSTEM.fullmatch(cells[2]):
        return "names an autonomous system: this is a list for asn"
    span = _between(cells[0], cells[1]) if paired else _span(text)
    if isinstance(span, str):
        return span
    content.ranges.append((*span, 0, ""))
    return ""


def _domain(cells: list[str], content: Content) -> str:
    """Take a line of a list of domains."""
    text = cells[0].partition("#")[0].strip().lower().removeprefix("*.").lstrip("@.").rstrip(".")
    if not _DOMAIN.fullmatch(text) or _number(text):
        return "no domain"
    content.domains.add(text)
    return ""


def _span(text: str) -> tuple[int, int] | str:
    """The addresses of `a/n`, `a-b` or `a`; or what is wrong."""
    if "-" in text:
        first, _, last = text.partition("-")
        return _between(first.strip(), last.strip())
    address, slash, prefix = text.partition("/")
    number = _number(address)
    if not number:
        return "no address"
    if not slash:
        return number, number
    bits, version = (128, 6) if ":" in address else (32, 4)
    if not (prefix.isascii() and prefix.isdigit() and len(prefix) < 4 and int(prefix) <= bits):
        return "no length of a prefix"
    if int(prefix) < WIDEST[version]:
        return f"wider than /{WIDEST[version]}"
    size = 1 << (bits - int(prefix))
    return number // size * size, number // size * size + size - 1


def _between(start: str, end: str) -> tuple[int, int] | str:
    first, last = _number(start), _number(end)
    if not first or not last or (":" in start) is not (":" in end):
        return "no address"
    if last < first:
        return "ends before it begins"
    version = 6 if ":" in start else 4
    if last - first >= 1 << ((128 if version == 6 else 32) - WIDEST[version]):
        return f"wider than /{WIDEST[version]}"
    return first, last


def _number(text: str) -> int:
    """An address as a number; 0 if it is none (`::` is nobody's)."""
    try:
        if ":" in text:
            return int.from_bytes(socket.inet_pton(socket.AF_INET6, text))
        return MAPPED | int.from_bytes(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return 0


def flatten(ranges: list[Range]) -> tuple[list[Range], int]:
    """The same ranges sorted and without overlaps, and how many began inside another.

    Where several cover an address, the narrowest counts, of equally wide ones the last. Neighbours that say the same
    become one.

    >>> flatten([(10, 19, 1, "wide"), (12, 13, 2, "narrow"), (20, 29, 1, "wide")])
    ([(10, 11, 1, 'wide'), (12, 13, 2, 'narrow'), (14, 29, 1, 'wide')], 1)
    """
    order = sorted(range(len(ranges)), key=lambda at: (ranges[at][0], ranges[at][1]))
    out: list[Range] = []
    # Ranges that may still cover what comes: the narrowest is on top.
    heap: list[tuple[int, int]] = []
    reached = position = -1
    overlaps = 0

    def emit(until: int) -> None:
        nonlocal position
        while heap and position < until:
            _, last, asn, name = ranges[-heap[0][1]]
            if last < position:
                heapq.heappop(heap)
                continue
            end = min(last, until - 1)
            if out and out[-1][1] + 1 == position and out[-1][2:] == (asn, name):
                out[-1] = (out[-1][0], end, asn, name)
            else:
                out.append((position, end, asn, name))
            position = end + 1

    for at in order:
        first, last, _, _ = ranges[at]
        emit(first)
        overlaps += first <= reached
        reached = max(reached, last)
        position = max(position, first)
        heapq.heappush(heap, (last - first, -at))
    emit(reached + 1)
    return out, overlaps
