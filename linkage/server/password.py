"""The server's password: random, in a file of mode 0600 beside its data, and in no command line."""

import hashlib
import secrets
from typing import Final

from linkage.errors import MachineError, translate
from linkage.server.places import Layout, write

USER: Final = "neo4j"
_HASHES: Final = 1024


def ensure(layout: Layout) -> str:
    """The password, made on the first start, and told to a server that has no users yet.

    Raises:
        MachineError: there are data but no password to them.
    """
    known = read(layout)
    has_data = (layout.data / "databases").exists()
    if not known:
        if has_data:
            raise MachineError(
                f"The password file {layout.password} is missing or empty, though the server has data.",
                f"Put it back, or remove {layout.data}: `linkage neo4j publish` fills it again.",
            )
        known = secrets.token_urlsafe(24)
        write(layout.password, known + "\n")
    # The server reads this file when it makes its users, on the first start, and never again.
    initial = layout.data / "dbms" / "auth.ini"
    if not has_data:
        try:
            initial.parent.mkdir(exist_ok=True, mode=0o700)
        except OSError as exc:
            raise translate(exc, f"making {initial.parent}") from None
        write(initial, _credentials(known))
    return known


def read(layout: Layout) -> str:
    """The password as it is in its file; empty if there is none."""
    try:
        return layout.password.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _credentials(password: str) -> str:
    """A line as the server keeps it: SHA-256 of salt and password, then of the digest, 1,024 hashes in all."""
    salt = secrets.token_bytes(32)
    digest = hashlib.sha256(salt + password.encode()).digest()
    for _ in range(_HASHES - 1):
        digest = hashlib.sha256(digest).digest()
    return f"{USER}:SHA-256,{digest.hex()},{salt.hex()},{_HASHES}:\n"
