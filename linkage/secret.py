"""The pepper: the secret under which raw prompts, e-mails and phone numbers become HMACs.

It comes from `LINKAGE_PEPPER`, from the file that `LINKAGE_PEPPER_FILE` names, or else from a random key file beside
the case that only its owner can read; never from a command line, which other users of the machine see. The case stores
the key's id, never the key; a command with another key is refused, since its values could not match.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from linkage import store
from linkage.errors import InputError, MachineError, NotFoundError, UsageError, translate
from linkage.files import clear, fresh

ENVIRONMENT: Final = "LINKAGE_PEPPER"
IN_FILE: Final = "LINKAGE_PEPPER_FILE"
_BLOCK: Final = 64


@dataclass(frozen=True)
class Key:
    """A secret key.

    Attributes:
        secret: its bytes; never printed.
        id: what the case stores to tell keys apart: 16 hexadecimal digits of an HMAC of a fixed text.
    """

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Tells keys apart without giving them away."""
        return hmac.new(self.secret, b"linkage key id", hashlib.sha256).hexdigest()[:16]

    def hash(self, kind: str, value: str) -> str:
        """What the case keeps of a value of a kind that it may not name, as `ingest.normalise.hmac` does in SQL."""
        return hmac.new(self.secret, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:32]

    def pads(self) -> tuple[bytes, bytes]:
        """Inner and outer block of HMAC-SHA256 (RFC 2104), for engines that only have SHA-256."""
        secret = self.secret if len(self.secret) <= _BLOCK else hashlib.sha256(self.secret).digest()
        block = secret.ljust(_BLOCK, b"\0")
        return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def key_file(case: Path) -> Path:
    """Where the key of the case at `case` lies if `LINKAGE_PEPPER` is not set."""
    return case.with_name(f"{case.name}.key")


def load_or_make_key(case: Path) -> Key:
    """The key for the case at `case`, made if there is none yet, and checked against the one it was made with.

    Raises:
        InputError: another key than the one that the case was made with, or an empty one.
        UsageError, NotFoundError: the environment names two keys, or a file that is not there.
        MachineError: the key file cannot be read or written, or others may use the one that the environment names.
    """
    named, path = given(), key_file(case)
    if named is not None:
        key, source = named
    else:
        key, source = _from_file(path, may_make=not _known_id(case)), str(path)
    known = _known_id(case)
    if known and known != key.id:
        raise InputError(
            f"{case} was made with another key (id {known}) than the one in {source} (id {key.id}).",
            f"Set {ENVIRONMENT} to the first key, or put its key file at {path}.",
        )
    return key


def given() -> tuple[Key, str] | None:
    """The key that the environment gives, or names a file of, and where it came from; None if it does neither.

    Raises:
        LinkageError: as `load_or_make_key`, which see.
    """
    plain, path = os.environ.get(ENVIRONMENT), os.environ.get(IN_FILE)
    if plain is not None and path is not None:
        raise UsageError(f"{ENVIRONMENT} and {IN_FILE} are both set.", f"Use one: unset {ENVIRONMENT}")
    if plain is not None:
        if not plain.strip():
            raise InputError(
                f"{ENVIRONMENT} is set but empty.", f"Set it to a long random text, or: unset {ENVIRONMENT}"
            )
        # What the shell could not read as text is a key all the same.
        return Key(os.fsencode(plain)), ENVIRONMENT
    if path is None:
        return None
    file = Path(path)
    if not file.is_file():
        raise NotFoundError(f"{IN_FILE} names no file: {path or 'nothing'}.", "Name the file that holds the key.")
    try:
        open_to = file.stat().st_mode & 0o077
        secret = file.read_bytes().strip()
    except OSError as exc:
        raise translate(exc, f"reading {IN_FILE}") from None
    if open_to:
        raise MachineError(f"Others than its owner may use the key file {file}.", f"Run: chmod 600 {file}")
    if not secret:
        raise InputError(f"The key file {file} is empty.", f"Name another with {IN_FILE}.")
    return Key(secret), f"{file} ({IN_FILE})"


def _known_id(case: Path) -> str:
    if not case.is_file():
        return ""
    with store.reading(case) as con:
        return store.meta(con, "key_id")


def _from_file(path: Path, *, may_make: bool) -> Key:
    try:
        # One that was killed between its making and the end of its other name.
        clear(path, ".new")
        if not path.exists():
            if not may_make:
                raise MachineError(
                    f"The key file {path} is missing.",
                    f"Put it back, or set {ENVIRONMENT}: without it nothing matches.",
                )
            make_key_file(path)
        secret = path.read_bytes().strip()
    except OSError as exc:
        raise translate(exc, f"reading the key file {path}") from None
    if not secret:
        raise InputError(f"The key file {path} is empty.", f"Put the right one back, or set {ENVIRONMENT}.")
    return Key(secret)


def make_key_file(path: Path) -> bool:
    """Write a new random key to `path`, whole or not at all, mode 0600: 32 bytes as hexadecimal digits.

    Returns:
        Whether it was made: a file that is there already, or that another process was quicker to make, stays.

    Raises:
        OSError: as the system says it.
    """
    with fresh(path, mode=0o600) as (name, file):
        file.write(secrets.token_hex(32).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
            return True
        return False
