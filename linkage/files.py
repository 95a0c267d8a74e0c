"""Files: written whole or not at all, left alone where nothing changed, and erased where nothing may stay."""

import glob
import hashlib
import os
import secrets
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file as it lies on disk, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace(path: Path, content: bytes, *, private: bool = False) -> bool:
    """Give `path` this content; returns False, and leaves it alone, where it has it already.

    With `private` only its owner may read it (mode 0600), also where the content was there before.

    Raises:
        OSError: as the system says it; the old content is still there.
    """
    if path.exists() and path.read_bytes() == content:
        if private:
            path.chmod(0o600)
        return False
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666), "wb") as file:
            file.write(content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return True


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
    # One that was not finished has a second point.
    for fresh in [*path.parent.glob(f".{name}.*.new*"), *path.parent.glob(f"..{name}.*.new*")]:
        erase(fresh)
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
