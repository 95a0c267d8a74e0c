"""Erase: files that are replaced or removed so that nothing of them stays.

A disk or file system that writes changes elsewhere (flash, copy on write, snapshots) keeps old blocks all the same.
"""

import glob
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

FRESH: Final = ".rewritten"
"""What is to be swapped in ends in this: a name that `files.clear` does not know, since nobody locks it."""


def swap(fresh: Path, path: Path) -> None:
    """Put `fresh` in the place of `path`, and erase what was there; the two are of one folder.

    At every instant `path` is the old file or the new one. The old one keeps a second name, by which `clear` finds it
    where this was cut off.

    Raises:
        OSError: as the system says it.
    """
    _sync(fresh)
    old = second_name(path)
    fresh.replace(path)
    _sync(path.parent)
    erase(old)


def second_name(path: Path) -> Path:
    """Give a file another name, by which it can be erased once it has lost the first, and by which `clear` finds it.

    Raises:
        OSError: as the system says it.
    """
    old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old")
    os.link(path, old)
    _sync(path.parent)
    return old


def clear(path: Path) -> None:
    """Take away what a `swap` of `path` that was cut off left behind; nobody may be swapping it now.

    Raises:
        OSError: as the system says it.
    """
    name = glob.escape(path.name)
    # What was only being made lies in a folder with a second point.
    for fresh in [*path.parent.glob(f".{name}.*{FRESH}*"), *path.parent.glob(f"..{name}.*{FRESH}*")]:
        for part in [fresh] if fresh.is_file() else [part for part in fresh.rglob("*") if part.is_file()]:
            erase(part)
        if fresh.is_dir():
            shutil.rmtree(fresh)
    for old in path.parent.glob(f".{name}.*.old"):
        if path.exists() and old.samefile(path):
            # It was not swapped yet: this is but another name.
            old.unlink()
        else:
            erase(old)


def erase(path: Path) -> None:
    """Overwrite a file with zeros, then remove it.

    A disk or file system that writes changes elsewhere (flash, copy on write, snapshots) keeps old blocks all the same.

    Raises:
        OSError: as the system says it.
    """
    with path.open("r+b") as file:
        overwrite(file.fileno())
    path.unlink()
    _sync(path.parent)


def overwrite(handle: int) -> None:
    """Overwrite an open file with zeros, in its length."""
    left = os.fstat(handle).st_size
    os.lseek(handle, 0, os.SEEK_SET)
    while left > 0:
        left -= os.write(handle, bytes(min(left, 1 << 20)))
    os.fsync(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
