"""A real PostgreSQL for tests. Modules that use it are marked `pytest.mark.xdist_group("postgres")`: one server."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

USER: Final = "investigator"
PASSWORD: Final = "a pass:word/with@marks"

# It ends the server when the pipe closes, whatever became of the process that held it.
_GUARD: Final = """
import os, signal, sys
sys.stdin.read()
os.kill(int(sys.argv[1]), signal.SIGINT)
"""

_NOBODY: Final = 65534


@dataclass(frozen=True)
class Postgres:
    """A server that runs on this machine.

    Attributes:
        port: on 127.0.0.1, and the name of its Unix socket.
        folder: of its Unix socket, its certificate `server.crt` and its data.
    """

    port: int
    folder: Path

    @property
    def address(self) -> str:
        """Its address, without a password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}"

    def run(self, sql: str, database: str = "postgres") -> list[list[Any]]:
        """Run statements as its superuser."""
        from pg8000 import native

        sock = self.folder / f".s.PGSQL.{self.port}"
        con = native.Connection("postgres", unix_sock=str(sock), database=database, ssl_context=False)
        try:
            return con.run(sql) or []
        finally:
            con.close()


def _program(name: str) -> str:
    """Where a program of PostgreSQL lies; skip where there is none, unless this is CI."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else "")
    if not found:
        assert not os.environ.get("CI"), f"there is no {name}"
        pytest.skip(f"no PostgreSQL to test with: there is no {name}")
    return found


def _free_port() -> int:
    """Not one of those that the system gives to whoever connects somewhere: such a one may be gone before the start."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("there is no free port")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server with an empty database of each test's own making, TLS on, passwords asked for over TCP."""
    initdb, server, openssl = _program("initdb"), _program("postgres"), _program("openssl")
    # It refuses to run as root, and other users cannot look into pytest's folders.
    own: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="linkage-postgres-"))
    try:
        if own:
            os.chown(folder, _NOBODY, _NOBODY)
        data = folder / "data"
        quiet: dict[str, Any] = {"check": True, "capture_output": True, "cwd": folder, **own}
        subprocess.run([initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], **quiet)
        made = ["-keyout", "server.key", "-out", "server.crt", "-days", "2", "-subj", "/CN=localhost"]
        names = ["-addext", "subjectAltName=DNS:localhost"]
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *made, *names], **quiet)
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off",
            "ssl": "on", "ssl_cert_file": folder / "server.crt", "ssl_key_file": folder / "server.key",
        }  # fmt: skip
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen([server, "-D", data], stdout=log, stderr=log, cwd=folder, **own)
        guard = subprocess.Popen(
            [sys.executable, "-c", _GUARD, str(running.pid)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            found = Postgres(port, folder)
            _wait(found, running)
            found.run(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            yield found
        finally:
            guard.communicate()
            running.send_signal(signal.SIGINT)
            running.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: Postgres, running: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert running.poll() is None, (server.folder / "log").read_text()
        try:
            server.run("SELECT 1")
        except Exception:
            time.sleep(0.1)
        else:
            return
    raise AssertionError((server.folder / "log").read_text())
