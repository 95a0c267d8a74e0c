"""Files that people read: written whole or not at all, and left alone where nothing changed."""

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
