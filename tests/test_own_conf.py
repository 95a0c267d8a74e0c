"""`own.conf`: settings that a person adds to the local server. A real start with one: `test_neo4j_faults`."""

import stat
from pathlib import Path

import pytest

from linkage import server
from linkage.commands import run
from linkage.errors import ExitCode, MachineError, UsageError
from linkage.server import config, own
from linkage.server.places import HOME, Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "home")
    found.make()
    return found


def test_they_override_ours_and_each_key_is_written_once(layout: Layout) -> None:
    before = config.conf(layout, 1, 2).splitlines()
    layout.own.write_text(
        "# mine\n\n  server.memory.pagecache.size = 2g \r\n"
        "db.transaction.timeout=1h\nserver.jvm.additional=-Dx=y\n   # more\n"
    )
    after = config.conf(layout, 1, 2).splitlines()
    assert set(after) - set(before) == {
        "server.memory.pagecache.size=2g",
        "db.transaction.timeout=1h",
        "server.jvm.additional=-Dx=y",
    }
    assert set(before) - set(after) == {"server.memory.pagecache.size=512m"}
    keys = [line.partition("=")[0] for line in after]
    assert len(keys) == len(set(keys))


def test_what_is_written_listens_here_alone_asks_for_the_password_and_reports_nothing(layout: Layout) -> None:
    config.write_conf(layout, 1, 2)
    written = dict(line.partition("=")[::2] for line in (layout.conf / "neo4j.conf").read_text().splitlines()[1:])
    assert {key: value for key, value in written.items() if "listen" in key} == {
        "server.default_listen_address": "127.0.0.1",
        "server.bolt.listen_address": "127.0.0.1:1",
        "server.http.listen_address": "127.0.0.1:2",
    }
    wanted = {
        "dbms.security.auth_enabled": "true", "dbms.usage_report.enabled": "false", "client.allow_telemetry": "false",
        "server.https.enabled": "false",
    }  # fmt: skip
    assert wanted.items() <= written.items()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (layout.home, *layout.home.rglob("*"))}
    assert modes == {0o700, 0o600}


@pytest.mark.parametrize(
    "line",
    [
        "server.default_listen_address=0.0.0.0",
        "server.bolt.listen_address=:7687",
        "server.bolt.advertised_address=graph.example.com:7687",
        "server.bolt.additional_listen_addresses=0.0.0.0:9999",
        "server.http.listen_address =0.0.0.0:7474",
        "server.https.listen_address=0.0.0.0:7473",
        "dbms.security.auth_enabled=false",
        "dbms.security.http_auth_allowlist=.*",
        "dbms.usage_report.enabled=true",
        "client.allow_telemetry=true",
        "server.directories.data=/elsewhere",
        "server.directories.logs=/elsewhere",
    ],
)
def test_what_would_open_the_server_is_refused(layout: Layout, line: str) -> None:
    layout.own.write_text(f"# first\n{line}\n")
    with pytest.raises(UsageError, match=r"Line 2 of .*own\.conf may not set ") as refused:
        own.settings(layout)
    assert line.partition("=")[0].strip() in refused.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server.memory.pagecache.size", "Line 1 .* is no setting"),
        ("server.memory.pagecache.size: 2g", "is no setting"),
        ("=2g", "is no setting"),
        ("include=/other/file.conf", "is no setting"),
        ("server.bolt.listen\\u005faddress=0.0.0.0:1", "is no setting"),
        ("db.format=aligned\\\nserver.https.enabled=true", "Line 1 .* is no setting"),
        ("! a comment elsewhere", "is no setting"),
        ("db.format=é", "is no setting"),
        ("db.format=\udcff", "is no setting"),
        ("db.format=aligned\n\ndb.format=high_limit", "Line 3 .* gives db.format a second time"),
    ],
)
def test_what_is_no_setting_is_refused(layout: Layout, text: str, says: str) -> None:
    layout.own.write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match=says):
        own.settings(layout)


def test_a_file_that_cannot_be_read(layout: Layout) -> None:
    layout.own.mkdir()
    with pytest.raises(MachineError, match=r"own\.conf"):
        own.settings(layout)


def test_a_start_with_a_wrong_line_starts_nothing(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(HOME, str(layout.home))
    layout.own.write_text("dbms.security.auth_enabled=false\n")
    assert run(["neo4j", "up"]) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines() == [
        f"Error: Line 1 of {layout.own} may not set dbms.security.auth_enabled: "
        "nobody reaches the server without its password.",
        "Hint: Remove the line.",
    ]
    assert server.status(layout.home).state == "stopped"
    assert not layout.password.exists()
