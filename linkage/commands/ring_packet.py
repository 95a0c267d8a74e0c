"""`linkage ring --packet`: an evidence packet, and whether it still is what the case says."""

from pathlib import Path

from linkage.commands.common import note, print_json, tell


def make(ring_id: str, case: Path, folder: Path, *, limit: int | None, as_json: bool) -> None:
    """Write a ring's packet and say what is in it."""
    from linkage.packet import ROWS, write

    paths = write(case, ring_id, folder, limit=limit or ROWS)
    if as_json:
        print_json("packet", {"folder": folder, "files": paths})
        return
    for path in paths:
        tell(str(path))
    note(f"It names accounts and what they use: mind who reads it. Check it: linkage ring --packet {folder} --check")


def verify(case: Path, folder: Path, exports: Path | None, ring_id: str | None, *, as_json: bool) -> None:
    """Make a packet again, compare it, and fail if anything differs."""
    from linkage.errors import CheckFailedError
    from linkage.packet import check

    found = check(case, folder, exports, ring_id)
    if as_json:
        print_json("packet-check", {"folder": folder, "same": not found, "differences": found})
    if found:
        raise CheckFailedError(
            f"{folder} is not what the case says now.", details=tuple(f"{one.what} {one.how}" for one in found)
        )
    if not as_json:
        tell("Nothing changed: the packet comes out of the case as it is.")
