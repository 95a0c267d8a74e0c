"""What an ingest did, for people and programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from linkage.ingest.aliases import Joins

PRIVATE_SHARE: Final = 0.2
"""From this share of private addresses in a file on, its report warns."""


@dataclass(frozen=True)
class Progress:
    """How far an ingest is.

    Attributes:
        file: the file being read.
        bytes_done, bytes_total: over all files, as they lie on disk.
        rows: read so far in finished files.
    """

    file: Path
    bytes_done: int
    bytes_total: int
    rows: int


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        path, table: the file, and the contract table that it was read as.
        preset, why: the source that it was recognised as, and by what; "" where its columns are the contract's.
        already: it had been ingested before, so nothing was done.
        error: why it was refused whole, or "".
        rows, added, rejected: records in it, rows that the case gained or changed, rows set aside.
        erased: rows of accounts that were erased, of which nothing is kept.
        reasons: rejected rows by reason.
        placeholders: values that stand for "nothing".
        ips, private_ips: rows with an address, and with one that everybody can have.
        ignored_columns: columns that the contract does not name.
        seconds: wall time.
    """

    path: Path
    table: str
    already: bool = False
    error: str = ""
    rows: int = 0
    added: int = 0
    rejected: int = 0
    erased: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    placeholders: int = 0
    ips: int = 0
    private_ips: int = 0
    ignored_columns: tuple[str, ...] = ()
    seconds: float = 0.0
    preset: str = ""
    why: str = ""

    @property
    def too_private(self) -> bool:
        """Whether so many addresses are private that the export may have been anonymised into private ranges."""
        return self.private_ips > PRIVATE_SHARE * self.ips


@dataclass(frozen=True)
class IngestReport:
    """What became of all files.

    Attributes:
        case: the case file.
        files: one report a file, in the order of their tables and names.
        passed_over: files in folders that no table's name fits.
        keep_private_ips: private addresses count as evidence.
        seconds: wall time.
        joined: rows of earlier files that aliases joined to another account.
        joins: how sources name accounts; None where there is one source and no alias.
    """

    case: Path
    files: tuple[FileReport, ...]
    passed_over: tuple[Path, ...]
    keep_private_ips: bool
    seconds: float
    joined: int = 0
    joins: Joins | None = None

    @property
    def rows(self) -> int:
        """Records in the files that went in."""
        return sum(file.rows for file in self.files)

    @property
    def added(self) -> int:
        """Rows that the case gained or changed."""
        return sum(file.added for file in self.files)

    @property
    def rejected(self) -> int:
        """Rows set aside."""
        return sum(file.rejected for file in self.files)

    @property
    def refused(self) -> tuple[FileReport, ...]:
        """Files of which nothing went in because they cannot be read."""
        return tuple(file for file in self.files if file.error)

    @property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Rejected rows by reason, the most frequent first."""
        return by_frequency(pair for file in self.files for pair in file.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = asdict(self)
        plain["case"] = str(self.case)
        plain["passed_over"] = [str(path) for path in self.passed_over]
        for file in plain["files"]:
            file["path"] = str(file["path"])
            file["reasons"] = dict(file["reasons"])
        return {"rows": self.rows, "added": self.added, "rejected": self.rejected, **plain}


def by_frequency(pairs: "Sequence[tuple[str, int]] | Any") -> tuple[tuple[str, int], ...]:
    """Add up (reason, count) pairs; the greatest first, ties by name."""
    total: Counter[str] = Counter()
    for reason, count in pairs:
        total[reason] += count
    return tuple(sorted(total.items(), key=lambda item: (-item[1], item[0])))
