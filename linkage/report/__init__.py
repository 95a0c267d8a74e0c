"""A case's rings as one HTML page, to look at and to hand on where there is no Neo4j and no terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linkage import audit
from linkage.errors import MachineError, UsageError, translate
from linkage.files import replace
from linkage.report.data import facts
from linkage.report.page import page


@dataclass(frozen=True)
class Report:
    """What was written: the file, how many rings it shows, its bytes, and whether they differ from what was there."""

    path: Path
    rings: int
    bytes: int
    changed: bool


def report(case: Path, path: Path, rings: Sequence[str] = (), *, force: bool = False) -> Report:
    """Write a page on rings of the newest run to `path`: whole or not at all, for its owner alone to read (mode 0600).

    The same run and decisions that count give the same bytes.

    Args:
        case: the case file.
        path: the file to write.
        rings: as in `results.ring`, also below the line; by default all that are listed.
        force: replace a file that says something else.

    Raises:
        NotFoundError: no case, no run yet, no such ring, or no such folder.
        UsageError: there is such a file already, and `force` is not given.
        MachineError: it cannot be written.
    """
    if path.is_dir():
        raise MachineError(f"{path} is a folder.", "Name a file, such as report.html.")
    found = facts(case, rings)
    content = page(found)
    audit.note(case, "report", {"rings": len(found.rings)})
    try:
        if path.exists() and not force and path.read_bytes() != content:
            raise UsageError(f"{path} exists already, and says something else.", "Replace it with --force.")
        changed = replace(path, content, private=True)
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None
    return Report(path, len(found.rings), len(content), changed)
