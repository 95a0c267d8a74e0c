"""Up, down and what is between: one server a home, whoever starts it and however often.

1. The home's lock is taken, so that two at a time do not start two.
2. A server that runs is taken as it is.
3. Else: jars and Java are found, files written, ports chosen, the process started, and its number kept before it is
   waited for; so a start that was cut off is found again.
4. It is up when its log says so and Bolt answers.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from linkage.errors import LinkageError, Neo4jError, UsageError
from linkage.server import config, java, own, password, ports, process
from linkage.server.jars import VERSION, Progress, fetch, folder, missing
from linkage.server.places import Layout, locked, write

Tell = Callable[[Progress], None]

STARTS: Final = 3
"""So often a start is tried when another process was quicker to take a port."""
PATIENCE: Final = 180.0
"""Seconds until a server that does not answer is given up; a loaded machine takes 30."""
_STOP_PATIENCE: Final = 60.0
_LINES: Final = 15
_BUSY: Final = ("Address already in use", "BindException", "PortBindException")


@dataclass(frozen=True)
class Server:
    """A managed server that is up.

    Attributes:
        bolt_url: for drivers.
        http_url: for a browser; with `localhost`, as its guides need it.
        user: its only user.
        password: of that user; in no `repr`.
        pid: its process.
        home: its folder.
        web: the folder that it serves at `http_url`: `browser/linkage` holds our style and guide.
        version: of Neo4j.
        java: the program that runs it.
    """

    bolt_url: str
    http_url: str
    user: str
    password: str = field(repr=False)
    pid: int
    home: Path
    web: Path
    version: str
    java: str = ""


@dataclass(frozen=True)
class Status:
    """What there is in a home.

    Attributes:
        state: running, starting or stopped.
        server: the one that is running.
        home: its folder.
        cache: where its jars lie.
        log: its own log.
        has_data: whether it was started before.
        to_download: bytes that the next `up` downloads.
    """

    state: Literal["running", "starting", "stopped"]
    server: Server | None
    home: Path
    cache: Path
    log: Path
    has_data: bool
    to_download: int


@dataclass(frozen=True)
class _State:
    """What is kept about the process, in `server.json`."""

    process: process.Process
    bolt_port: int
    http_port: int
    version: str
    java: str


class _PortTaken(Exception):
    """Another process was quicker."""


def running(home: Path | None = None) -> Server | None:
    """The server of `home` if it is up and ours, else None. Needs no extra, and never raises for broken files."""
    try:
        layout = Layout.of(home)
    except LinkageError:
        return None
    state = alive(layout)
    return _server(layout, state) if state and ports.connects(state.bolt_port) else None


def up(
    home: Path | None = None,
    *,
    bolt_port: int | None = None,
    http_port: int | None = None,
    heap: str = "1g",
    progress: Tell | None = None,
) -> Server:
    """Start the server of `home`, or return the one that runs.

    Args:
        home: its folder; else `LINKAGE_NEO4J_HOME` or the user's data folder.
        bolt_port: the port for Bolt; else 7687, or a free one if that is taken.
        http_port: the port for HTTP; else 7474, or a free one.
        heap: the memory of Java, as ``1g`` or ``1500m``.
        progress: is told each step, and bytes while it downloads.

    Raises:
        Neo4jError: it does not start, no Java fits, or the download fails.
        UsageError: a port, the heap or a line of `own.conf` does not fit.
        MachineError: the disk refuses.
    """
    config.heap_option(heap)
    layout = Layout.of(home)
    tell = progress or (lambda _: None)
    if (server := running(layout.home)) is not None:
        return _as_asked(server, bolt_port, http_port)
    layout.make()
    with locked(layout.home / "lock"):
        state = alive(layout)
        if state is not None:
            tell(Progress("Waiting for Neo4j, which is starting"))
            try:
                _wait(layout, state, 0)
                return _as_asked(_server(layout, state), bolt_port, http_port)
            except (Neo4jError, _PortTaken):
                # One that ended by itself is in nobody's way; one that hangs must be stopped by a person.
                if process.same(state.process):
                    raise
        _forget(layout)
        return _start(layout, bolt_port, http_port, heap, tell)


def status(home: Path | None = None) -> Status:
    """Whether the server of `home` is up, and where its files are."""
    layout = Layout.of(home)
    state = alive(layout)
    up = state is not None and ports.connects(state.bolt_port)
    return Status(
        state="running" if up else "starting" if state else "stopped",
        server=_server(layout, state) if state and up else None,
        home=layout.home,
        cache=folder().parent,
        log=layout.log,
        has_data=(layout.data / "databases").exists(),
        to_download=sum(jar.size for jar in missing()),
    )


def down(home: Path | None = None) -> bool:
    """Stop the server of `home`; its data stay. False if there was none.

    Raises:
        MachineError: it does not end.
    """
    layout = Layout.of(home)
    if not layout.home.is_dir():
        return False
    with locked(layout.home / "lock"):
        state = alive(layout)
        if state is not None:
            process.stop(state.process, patience=_STOP_PATIENCE)
        _forget(layout)
    return state is not None


def log_tail(home: Path | None = None, lines: int = 50) -> list[str]:
    """The last `lines` lines of the server's log, and of what Java said before it was open."""
    layout = Layout.of(home)
    said = _read(layout.log, 0).splitlines() or _read(layout.console, 0).splitlines()
    return said[-lines:]


def follow_log(home: Path | None = None) -> Iterator[str]:
    """The lines that the server adds to its log from now on; without end."""
    layout = Layout.of(home)
    offset, rest = _size(layout.log), b""
    while True:
        if _size(layout.log) < offset:
            # A new log was begun.
            offset, rest = 0, b""
        added = _bytes(layout.log, offset)
        offset += len(added)
        *lines, rest = (rest + added).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
        time.sleep(0.3)


def _as_asked(server: Server, bolt_port: int | None, http_port: int | None) -> Server:
    for option, wanted, url in (
        ("--bolt-port", bolt_port, server.bolt_url),
        ("--http-port", http_port, server.http_url),
    ):
        if wanted is not None and not url.endswith(f":{wanted}"):
            raise UsageError(
                f"{option} {wanted}: the server is up already, at {url}.", "Stop it first: linkage neo4j down"
            )
    return server


def _start(layout: Layout, bolt_port: int | None, http_port: int | None, heap: str, tell: Tell) -> Server:
    # Before anything is downloaded for it.
    own.settings(layout)
    chosen = ports.choose(bolt_port, http_port)
    program = java.find()
    tell(Progress("Checking the files of Neo4j"))
    fetch(tell)
    password.ensure(layout)
    config.prepare(layout)
    command = config.command(layout, program, heap)
    for attempt in range(1, STARTS + 1):
        tell(Progress("Starting Neo4j"))
        config.write_conf(layout, *chosen)
        try:
            return _server(layout, _launch(layout, command, chosen, str(program.path)))
        except _PortTaken:
            if attempt == STARTS or (bolt_port is not None and http_port is not None):
                raise UsageError(
                    f"Another process took port {chosen[0]} or {chosen[1]} before the server could.",
                    "Run again, with other ports: linkage neo4j up --bolt-port N --http-port N",
                ) from None
            tell(Progress("Another process took a port; trying others"))
            chosen = ports.choose(bolt_port, http_port, usual=False)
    raise AssertionError


def _launch(layout: Layout, command: list[str], chosen: tuple[int, int], program: str) -> _State:
    """Start the process and wait until it is up; whatever comes between, none of it stays behind."""
    offset = _size(layout.log)
    spawned: Future[process.Process | None] | None = None
    try:
        # In a thread, where no Ctrl-C can come between the start and knowing what was started.
        with ThreadPoolExecutor(1) as pool:
            spawned = pool.submit(process.spawn, command, layout.home, layout.console, config.environment())
        started = spawned.result()
        if started is None:
            raise _failed(layout, offset)
        state = _State(started, *chosen, VERSION, program)
        _remember(layout, state)
        _wait(layout, state, offset)
    except BaseException:
        if spawned is not None and spawned.exception() is None and (left := spawned.result()) is not None:
            process.stop(left, patience=5.0)
        _forget(layout)
        raise
    return state


def _wait(layout: Layout, state: _State, offset: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not process.same(state.process):
            raise _failed(layout, offset)
        if "Started." in _read(layout.log, offset) and ports.bolt_answers(state.bolt_port):
            return
        time.sleep(0.1)
    raise Neo4jError(
        f"The server did not answer within {PATIENCE:.0f} seconds.",
        "Stop what is left of it, and run again when the machine has less to do: linkage neo4j down",
        _said(layout, offset)[-_LINES:],
    )


def _failed(layout: Layout, offset: int) -> Exception:
    said = _said(layout, offset)
    if any(word in line for line in said for word in _BUSY):
        return _PortTaken()
    return Neo4jError(
        f"The server ended while it was starting{', and said:' if said else ' and said nothing.'}",
        "Its whole log: linkage neo4j logs -n 500",
        said[-_LINES:],
    )


def _said(layout: Layout, offset: int) -> tuple[str, ...]:
    """What the server and Java said since its log was `offset` bytes long, without the places in its own code."""
    lines = (_read(layout.log, offset) + _read(layout.console, 0)).splitlines()
    return tuple(line for line in lines if line.strip() and not re.match(r"\s+(at |\.\.\. \d+ more)", line))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _read(path: Path, offset: int) -> str:
    return _bytes(path, offset).decode("utf-8", "replace")


def _bytes(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            # A log that is shorter than it was has been begun anew.
            file.seek(offset if offset <= _size(path) else 0)
            return file.read()
    except OSError:
        return b""


def _remember(layout: Layout, state: _State) -> None:
    document = {
        "pid": state.process.pid,
        "started": state.process.started,
        "bolt_port": state.bolt_port,
        "http_port": state.http_port,
        "version": state.version,
        "java": state.java,
    }
    write(layout.state, json.dumps(document, indent=2) + "\n")


def _forget(layout: Layout) -> None:
    layout.state.unlink(missing_ok=True)


def alive(layout: Layout) -> _State | None:
    """The state on file if its process runs and is the server of this home."""
    try:
        document: Any = json.loads(layout.state.read_text(encoding="utf-8"))
        pid, bolt, http = (int(document[key]) for key in ("pid", "bolt_port", "http_port"))
        told = {key: str(document[key]) for key in ("started", "version", "java")}
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if not (0 < bolt < 65536 and 0 < http < 65536):
        return None
    found = process.look(pid)
    # A number is given to another process later: only its start and its command line make it ours.
    if found is None or found.started != told["started"] or config.mark(layout) not in found.command:
        return None
    return _State(found, bolt, http, told["version"], told["java"])


def _server(layout: Layout, state: _State) -> Server:
    return Server(
        bolt_url=f"bolt://{ports.LOOPBACK}:{state.bolt_port}",
        http_url=f"http://localhost:{state.http_port}",
        user=password.USER,
        password=password.read(layout),
        pid=state.process.pid,
        home=layout.home,
        web=layout.web,
        version=state.version,
        java=state.java,
    )
