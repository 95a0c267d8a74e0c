"""Files that are written whole or not at all, and what a killed process leaves behind.

What is being written lies beside its place, under a name that begins with a point, and is locked by its process. The
kernel lets go of a lock when the process ends, however that happens: so what nobody holds was left by a killed one,
and whoever writes next to the same place clears it away.
"""

import glob
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from linkage import posix


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
    clear(path, ".new")
    if path.exists() and path.read_bytes() == content:
        if private:
            path.chmod(0o600)
        return False
    with fresh(path, mode=0o600 if private else 0o666) as (name, file):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        name.replace(path)
    return True


@contextmanager
def fresh(path: Path, *, mode: int = 0o600) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file beside `path`, its name and itself; it goes when the block ends, unless it was renamed.

    Raises:
        OSError: as the system says it.
    """
    clear(path, ".new")
    while True:
        name = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            # Another process may have cleared it away between its making and its lock.
            if _mine(file.fileno(), name):
                try:
                    yield name, file
                finally:
                    name.unlink(missing_ok=True)
                return


@contextmanager
def private_folder(path: Path, suffix: str) -> Iterator[Path]:
    """A new folder beside `path` that only its owner can look into, which goes when the block ends.

    Raises:
        OSError: as the system says it.
    """
    clear(path, suffix)
    while True:
        name = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=suffix, dir=path.parent))
        try:
            handle = posix.open_itself(name)
        except FileNotFoundError:
            # Another process cleared it away between its making and here.
            continue
        try:
            if _mine(handle, name):
                try:
                    yield name
                finally:
                    shutil.rmtree(name, ignore_errors=True)
                return
        finally:
            os.close(handle)


def clear(path: Path, suffix: str) -> None:
    """Remove files and folders that killed processes left beside `path`: those that nobody holds."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{suffix}"):
        # Somebody else's, or gone already.
        with suppress(OSError):
            handle = posix.open_itself(left)
            try:
                if hold(handle, left):
                    shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
            finally:
                os.close(handle)


def _mine(handle: int, path: Path) -> bool:
    try:
        return hold(handle, path)
    except OSError:
        # A network drive that knows no locks: nobody clears anything away there either.
        return True


def hold(handle: int, path: Path, *, wait: bool = False) -> bool:
    """Lock the open file or folder `handle` for this process; whether that worked and it still lies at `path`.

    Args:
        handle: locked until it is closed.
        path: where it was opened.
        wait: for another process that holds it.

    Raises:
        OSError: as the system says it; not every network drive knows locks.
    """
    with suppress(BlockingIOError, FileNotFoundError):
        posix.lock(handle, wait=wait)
        return os.path.samestat(os.fstat(handle), path.stat())
    return False
