"""JSON Lines beside the case: a second copy of what cannot be made again."""

import os
from collections.abc import Sequence
from pathlib import Path

from linkage.errors import InputError, translate
from linkage.files import hold


def must_be_text(*texts: str) -> None:
    """Refuse what a person typed if it is no Unicode text: a terminal may hand on any bytes.

    Raises:
        InputError: one cannot be written as UTF-8.
    """
    for text in texts:
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise InputError(f"{text!r} is no UTF-8 text.", "Type it again, or check the terminal's encoding.")


def append(path: Path, lines: Sequence[bytes]) -> None:
    """Append what the file at `path` lacks of `lines`: after a crash between commit and append that is more than one.

    Args:
        path: made if it is not there, for its owner alone.
        lines: all lines there are, each with its line end; those that the file has come first.

    Raises:
        MachineError: the file cannot be read or written.
    """
    try:
        if not lines:
            return
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            # Two that append at once would each write what it missed over the other's.
            hold(file.fileno(), path, wait=True)
            kept = file.read()
            # A line that was cut off by a crash is written again.
            kept = kept[: kept.rfind(b"\n") + 1]
            missing = lines[kept.count(b"\n") :]
            if not missing:
                return
            file.seek(len(kept))
            file.truncate()
            file.write(b"".join(missing))
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None
