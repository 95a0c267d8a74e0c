"""Ports on loopback: which are free, and whether Bolt answers on one."""

import errno
import socket
from typing import Final

from linkage.errors import UsageError

BOLT: Final = 7687
HTTP: Final = 7474
LOOPBACK: Final = "127.0.0.1"

_HANDSHAKE: Final = bytes.fromhex("6060b017" + "00000405" + "00000404" + "00000004" + "00000003")


def choose(bolt: int | None, http: int | None, *, usual: bool = True) -> tuple[int, int]:
    """Two ports for Bolt and HTTP.

    Args:
        bolt: the one that must be taken, if any.
        http: likewise.
        usual: whether 7687 and 7474 are tried first; not after they turned out to be taken.

    Raises:
        UsageError: a port that must be taken is none, is taken, or is the other one.
    """
    if bolt is not None and bolt == http:
        raise UsageError(f"Bolt and HTTP cannot share the port {bolt}.", "Name another one, or leave one out.")
    for option, port in (("--bolt-port", bolt), ("--http-port", http)):
        if port is not None:
            _check(option, port)
    first = bolt if bolt is not None else _pick(BOLT if usual else 0, avoid=http)
    return first, http if http is not None else _pick(HTTP if usual else 0, avoid=first)


def free(port: int) -> bool:
    """Whether a server could listen on `port`, and nobody answers to `localhost` there."""
    return _error(port) == 0


def connects(port: int, timeout: float = 1.0) -> bool:
    """Whether something listens on `port` of loopback; `timeout` is in seconds."""
    try:
        socket.create_connection((LOOPBACK, port), timeout).close()
    except OSError:
        return False
    return True


def bolt_answers(port: int, timeout: float = 5.0) -> bool:
    """Whether a Bolt server agrees on a version on `port` of loopback; `timeout` is in seconds."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(_HANDSHAKE)
            answer = connection.recv(4)
            while 0 < len(answer) < 4 and (more := connection.recv(4 - len(answer))):
                answer += more
    except OSError:
        return False
    return len(answer) == 4 and answer != bytes(4)


def _check(option: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise UsageError(f"{option} {port} is no port.", "Ports are 1 to 65535.")
    error = _error(port)
    if error in (errno.EACCES, errno.EPERM):
        raise UsageError(f"{option} {port}: you may not listen there.", "Choose a port from 1024 on.")
    if error:
        raise UsageError(f"{option} {port} is taken.", f"Leave out {option} to have a free one found.")


def _pick(usual: int, avoid: int | None) -> int:
    if usual and usual != avoid and free(usual):
        return usual
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port != avoid and free(port):
            return port
    raise UsageError("No free port was found.", "Name two: --bolt-port N --http-port N")


def _error(port: int) -> int:
    """0, or the number of the error that keeps a server from `port`."""
    # `localhost` may mean ::1 first: whoever listens there would get what is meant for us.
    for family, address in ((socket.AF_INET, LOOPBACK), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as exc:
            if family == socket.AF_INET or exc.errno == errno.EADDRINUSE:
                return exc.errno or errno.EADDRINUSE
    # Where 0.0.0.0 is taken, some systems let 127.0.0.1 be bound beside it.
    return errno.EADDRINUSE if connects(port, 0.2) else 0
