"""Files that people read: written whole or not at all, and left alone where nothing changed."""

import secrets
from pathlib import Path


def replace(path: Path, content: bytes) -> bool:
    """Give `path` this content; returns False, and touches nothing, where it has it already.

    Raises:
        OSError: as the system says it; the old content is still there.
    """
    if path.exists() and path.read_bytes() == content:
        return False
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return True
