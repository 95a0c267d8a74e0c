"""Where the server's files lie, and how they are written: whole or not at all, by one process at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linkage import posix
from linkage.errors import MachineError, UsageError, translate
from linkage.files import fresh

HOME: Final = "LINKAGE_NEO4J_HOME"
CACHE: Final = "LINKAGE_NEO4J_CACHE"

# A classpath is split at colons; the others are syntax where Java or the server reads a path.
_REFUSED: Final = ':"\\\n\r'


def home() -> Path:
    """The folder of the server's data: `LINKAGE_NEO4J_HOME`, else `linkage/neo4j` in the user's data folder."""
    return _place(HOME, "XDG_DATA_HOME", ".local/share", "Library/Application Support")


def cache() -> Path:
    """The folder of the jars: `LINKAGE_NEO4J_CACHE`, else `linkage/neo4j` in the user's cache folder."""
    return _place(CACHE, "XDG_CACHE_HOME", ".cache", "Library/Caches")


def _place(own: str, xdg: str, below_user: str, below_user_mac: str) -> Path:
    if given := os.environ.get(own):
        return Path(given).expanduser().absolute()
    # The XDG specification: a relative path is to be ignored.
    if (base := os.environ.get(xdg, "")) and Path(base).is_absolute():
        return Path(base) / "linkage" / "neo4j"
    return Path.home() / (below_user_mac if sys.platform == "darwin" else below_user) / "linkage" / "neo4j"


@dataclass(frozen=True)
class Layout:
    """The files of one server below its `home`."""

    home: Path

    @classmethod
    def of(cls, given: Path | None) -> "Layout":
        """The layout of `given`, else of `home()`.

        Raises:
            UsageError: the server cannot work with a folder of this name.
        """
        path = given.expanduser().absolute() if given else home()
        check_name(path)
        return cls(path)

    @property
    def conf(self) -> Path:
        """Configuration, written anew at each start."""
        return self.home / "conf"

    @property
    def own(self) -> Path:
        """Settings that a person adds to the configuration; there may be none."""
        return self.home / "own.conf"

    @property
    def data(self) -> Path:
        """What is kept between starts."""
        return self.home / "data"

    @property
    def logs(self) -> Path:
        """The server's own logs."""
        return self.home / "logs"

    @property
    def plugins(self) -> Path:
        """Jars whose procedures the server offers."""
        return self.home / "plugins"

    @property
    def run(self) -> Path:
        """What the running process needs."""
        return self.home / "run"

    @property
    def imports(self) -> Path:
        """Where LOAD CSV may read."""
        return self.home / "import"

    @property
    def web(self) -> Path:
        """First on the classpath: Browser, and files that the server serves beside it."""
        return self.home / "web"

    @property
    def state(self) -> Path:
        """Which process runs, and on which ports."""
        return self.home / "server.json"

    @property
    def password(self) -> Path:
        """The password, mode 0600."""
        return self.home / "password"

    @property
    def log(self) -> Path:
        """The log to read when something is wrong."""
        return self.logs / "neo4j.log"

    @property
    def console(self) -> Path:
        """What the process says before its log is open, and what Java itself says."""
        return self.logs / "console.log"

    def make(self) -> None:
        """Make the folders; only the owner may look into the home."""
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.home.chmod(0o700)
            for folder in (self.conf, self.data, self.logs, self.plugins, self.run, self.imports, self.web):
                folder.mkdir(exist_ok=True, mode=0o700)
                folder.chmod(0o700)
        except OSError as exc:
            raise translate(exc, f"making the server's folder {self.home}") from None


def check_name(path: Path) -> None:
    """Refuse a folder whose name the server cannot work with.

    Raises:
        UsageError: it holds a colon, a comma or the like.
    """
    found = sorted(set(_REFUSED) & set(str(path)))
    if found or str(path) != str(path).strip():
        what = f"a {found[0]!r}" if found else "a blank at its end"
        raise UsageError(
            f"The Neo4j server cannot work in {path}: the path has {what}.",
            f"Set {HOME} (or {CACHE}) to a folder with a plainer name.",
        )


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by its owner alone from its first byte on."""
    try:
        with fresh(path, mode=0o600) as (name, file):
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
            name.replace(path)
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs; waits for another process that holds it.

    The kernel lets go of it when the process ends, however that happens.
    """
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as exc:
        raise translate(exc, f"opening the lock {path}") from None
    try:
        try:
            posix.lock(handle)
        except OSError as exc:
            raise MachineError(
                f"The lock {path} cannot be taken: {exc.strerror}.", "Choose a folder on a local disk."
            ) from None
        yield
    finally:
        os.close(handle)
