"""The jars of Neo4j, Browser, Graph Data Science and APOC: a pinned list, fetched once for all homes, each one checked.

The list is flat and resolved: `group:artifact[:classifier]:version sha256:digest bytes`, a line each. Nothing is
resolved when it is fetched, so what runs is what was tried.
"""

import errno
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from linkage.errors import MachineError, Neo4jError, translate
from linkage.files import sha256
from linkage.server import places

if TYPE_CHECKING:
    from jgo.maven import MavenContext

VERSION: Final = "5.26.12"
_LIST: Final = Path(__file__).with_name(f"jars-{VERSION}.txt")
_THREADS: Final = 8
_TRIES: Final = 3
_DISK: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}
_EXTRA: Final = "pip install 'account-linkage[neo4j-server]'"


@dataclass(frozen=True)
class Progress:
    """How far `up` is.

    Attributes:
        step: what is being done, for a person.
        bytes_done: of the download; 0 in other steps.
        bytes_total: of the download; 0 in other steps.
    """

    step: str
    bytes_done: int = 0
    bytes_total: int = 0


@dataclass(frozen=True)
class Jar:
    """One pinned jar: coordinates, SHA-256 in hexadecimal, size in bytes."""

    group: str
    artifact: str
    classifier: str
    version: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """Its file name; no two of the list are the same."""
        return f"{self.artifact}-{self.version}{'-' if self.classifier else ''}{self.classifier}.jar"

    @property
    def has_procedures(self) -> bool:
        """Whether it must lie among the plugins. The server scans each class there: all jars of GDS take 33 s."""
        if self.group == "org.neo4j.gds":
            named = self.artifact.startswith(("proc-", "alpha-proc")) or self.artifact == "proc"
            return named and self.artifact != "proc-pregel"
        return self.artifact == "apoc-core"


@cache
def pinned() -> tuple[Jar, ...]:
    """All jars of the list."""
    jars = []
    for line in _LIST.read_text(encoding="ascii").splitlines():
        coordinates, digest, size = line.split()
        group, artifact, *classifier, version = coordinates.split(":")
        jars.append(Jar(group, artifact, "".join(classifier), version, digest.removeprefix("sha256:"), int(size)))
    return tuple(jars)


def folder() -> Path:
    """Where the jars lie, all in one folder."""
    return places.cache() / "jars"


def path(jar: Jar) -> Path:
    """Where `jar` lies once it is fetched."""
    return folder() / jar.name


def missing() -> list[Jar]:
    """The jars that are not there in their full size; cheap."""
    return [jar for jar in pinned() if _size(path(jar)) != jar.size]


def fetch(progress: Callable[[Progress], None] | None = None) -> None:
    """Make all jars be there, verified. What was fetched before is kept; processes at once fetch once.

    Raises:
        Neo4jError: the extra is missing, the network fails, or a jar has a wrong checksum.
        MachineError: the disk refuses.
    """
    lacking = missing() or _broken(pinned())
    if not lacking:
        return
    root = places.cache()
    places.check_name(root)
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise translate(exc, f"making the cache {root}") from None
    with places.locked(root / "lock"):
        # Whoever had the lock before may have fetched everything, or was killed and left a part.
        for part in root.glob("part-*"):
            shutil.rmtree(part, ignore_errors=True)
        lacking = missing() or _broken(pinned())
        if lacking:
            _check_space(root, sum(jar.size for jar in lacking))
            _fetch(lacking, root, progress)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _broken(jars: Iterable[Jar]) -> list[Jar]:
    try:
        return [jar for jar in jars if sha256(path(jar)) != jar.sha256]
    except OSError as exc:
        raise translate(exc, "reading the jars of Neo4j") from None


def _check_space(root: Path, size: int) -> None:
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return
    if free < size:
        raise MachineError(
            f"Neo4j needs {size / 1e6:,.0f} MB in {root}, where {free / 1e6:,.0f} MB are free.",
            f"Free space, or set {places.CACHE} to a folder on another disk.",
        )


class _Stopped(Exception):
    """Ends the threads that fetch."""


class _Counter:
    """Adds up the bytes of all threads, and ends the threads when one has failed."""

    def __init__(self, total: int, progress: Callable[[Progress], None] | None) -> None:
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._total = total
        self._done = 0
        self._progress = progress

    def add(self, size: int) -> None:
        """Count `size` bytes, which may be less than none after a failed try."""
        if size > 0 and self.stop.is_set():
            raise _Stopped
        with self._lock:
            self._done += size
            if self._progress:
                self._progress(Progress(f"Downloading Neo4j {VERSION}", self._done, self._total))

    @contextmanager
    def one(self, name: str, size: int) -> Iterator[Callable[[int], None]]:  # noqa: ARG002
        """What the downloader calls for each jar; takes back what a failed try had counted."""
        counted = 0

        def add(size: int) -> None:
            nonlocal counted
            counted += size
            self.add(size)

        try:
            yield add
        except BaseException:
            self.add(-counted)
            raise


def _fetch(jars: list[Jar], root: Path, progress: Callable[[Progress], None] | None) -> None:
    counter = _Counter(sum(jar.size for jar in jars), progress)
    part = Path(tempfile.mkdtemp(prefix="part-", dir=root))
    try:
        context = _context(part, counter)
        with ThreadPoolExecutor(_THREADS) as pool:
            try:
                # The biggest first, so that none is left alone at the end.
                tasks = [pool.submit(_fetch_one, jar, context, counter) for jar in sorted(jars, key=lambda j: -j.size)]
                done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
                for task in done:
                    task.result()
            finally:
                counter.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _context(part: Path, counter: _Counter) -> "MavenContext":
    try:
        # Only here, so that a full cache serves without the extra.
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError:
        raise Neo4jError("Downloading Neo4j needs the package jgo.", f"Install it: {_EXTRA}") from None
    return MavenContext(resolver=PythonResolver(progress_callback=counter.one), repo_cache=part, timeout=30)


def _fetch_one(jar: Jar, context: "MavenContext", counter: _Counter) -> None:
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    artifact = component.artifact(classifier=jar.classifier) if jar.classifier else component.artifact()
    for attempt in range(1, _TRIES + 1):
        if counter.stop.is_set():
            return
        try:
            got = artifact.resolve()
            if sha256(got) != jar.sha256:
                got.unlink()
                raise Neo4jError(
                    f"The downloaded {jar.name} is not the file that was pinned: its SHA-256 differs.",
                    "Nothing of it was kept. Run again; if it stays so, something changes files on the way to you.",
                )
            got.replace(path(jar))
            return
        except (Neo4jError, _Stopped):
            raise
        except Exception as exc:
            # The downloader raises its own errors, assertions, and those of requests, which are OSError as well.
            if isinstance(exc, OSError) and exc.errno in _DISK:
                raise translate(exc, "downloading Neo4j") from None
            if artifact.cached_path:
                artifact.cached_path.unlink(missing_ok=True)
            if attempt == _TRIES:
                raise Neo4jError(
                    f"{jar.name} could not be downloaded ({type(exc).__name__}).",
                    "Check the network and run again: what was fetched is kept.",
                ) from None
            counter.stop.wait(attempt)
