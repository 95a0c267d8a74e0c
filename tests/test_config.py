"""linkage.toml, `config show`, `completion` and `doctor`."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from linkage import forget, health, store
from linkage.commands import cli, settings
from linkage.errors import ExitCode, UsageError
from linkage.secret import key_file, make_key_file
from tests.cases import Output, forget_places, make_case


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sources(shown: str) -> dict[str, tuple[object, str]]:
    return {f"{o['command']} {o['option']}": (o["value"], o["source"]) for o in json.loads(shown)["options"]}


def test_what_is_typed_goes_before_the_environment_the_file_and_the_default(
    linkage: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("file", "environment", "typed"):
        make_case(Path(f"{name}.duckdb"), accounts=[{"account_id": name}])
    assert "no case file linkage.duckdb" in linkage("rejects")[2]
    Path("linkage.toml").write_text('case = "file.duckdb"\n[runs]\njson = true\n')
    assert json.loads(linkage("runs")[1])["rows"] == []
    assert linkage("rejects")[0] == 0
    monkeypatch.setenv("LINKAGE_CASE", "gone.duckdb")
    assert "no case file gone.duckdb" in linkage("rejects")[2]
    assert linkage("rejects", "--case", "typed.duckdb")[0] == 0
    monkeypatch.delenv("LINKAGE_CASE")
    Path("other.toml").write_text('case = "gone.duckdb"\n[rejects]\ncase = "typed.duckdb"\n')
    assert linkage("--config", "other.toml", "rejects")[0] == 0
    assert "no case file gone.duckdb" in linkage("--config", "other.toml", "runs")[2]
    assert "no case file linkage.duckdb" in linkage("--config", os.devnull, "runs")[2]


def test_every_option_of_every_command_may_stand_in_the_file() -> None:
    ways = settings.commands(cli)
    assert ("neo4j", "schema", "apply") in ways
    for way, command in ways.items():
        for name, option in settings._options(command).items():
            value = {"Choice": None, "IntRange": 12_345, "FloatRange": 0.5}.get(type(option.type).__name__, "3")
            value = {"spark-conf": "spark.a=3"}.get(name, value)
            if isinstance(option.type, click.Choice):
                value = str(option.type.choices[0])
            shown = "true" if option.is_flag else f'["{value}"]' if option.multiple else json.dumps(value)
            Path("c.toml").write_text(f"[{'.'.join(way)}]\n{name} = {shown}\n")
            table = settings.defaults(cli, Path("c.toml"))
            for step in way:
                table = table[step]
            assert list(table) == [option.name]


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("cse = 'a'", "'cse'", "Did you mean case?"),
        ("[detct]\nseed = 1", "'detct'", "Did you mean detect?"),
        ("[detect]\nmin-acounts = 3", "[detect]: the command detect has no option 'min-acounts'", "min-accounts?"),
        ("[detect]\nmin_accounts = 3", "'min_accounts'", "Did you mean min-accounts?"),
        ("[neo4j.publsh]\nscope = 'all'", "'publsh'", "Did you mean publish?"),
        ("[detect]\nmin-accounts = 1", "min-accounts: 1 is not in the range", "linkage detect --help"),
        ("[detect]\nalgorithm = 'magic'", "'magic' is not one of", "linkage detect --help"),
        ("[detect]\ncalibrate = 'yes'", "calibrate must be true or false", "linkage detect --help"),
        ("[detect]\nseed = true", "seed must be one value", "linkage detect --help"),
        ("[detect]\nseed = [1]", "seed must be one value", "linkage detect --help"),
        ("[detect]\nhelp = true", "no option 'help'", "There are: "),
        ("detect = 3", "'detect'", "Did you mean detect?"),
        ("case = ", "is no TOML", "docs/config.md"),
        ("case = '\x00'", "is no TOML", "docs/config.md"),
        ("[neo4j]\npassword = 'hunter2'", "password is a secret", "LINKAGE_NEO4J_PASSWORD_FILE"),
        ("neo4j-password = 'hunter2'", "is a secret", "LINKAGE_NEO4J_PASSWORD_FILE"),
        ("[ingest]\npepper = 'hunter2'", "pepper is a secret", "LINKAGE_PEPPER"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_before_anything_is_done(
    linkage: Callable[..., Output], text: str, said: str, hint: str
) -> None:
    Path("linkage.toml").write_text(text)
    for words in (("rejects",), ("config", "show")):
        code, out, err = linkage(*words)
        assert (code, out) == (ExitCode.USAGE, "")
        assert said in err
        assert hint in err
        assert "hunter2" not in err
    # Help and the version never read it; doctor tells of it.
    assert linkage("--help")[0] == linkage("completion", "bash")[0] == 0
    code, out, _ = linkage("doctor", "--json")
    assert code == ExitCode.CHECK_FAILED
    (check,) = [one for one in json.loads(out)["checks"] if one["state"] == "fail"]
    assert check["name"] == "config"
    assert said in check["said"]


def test_a_file_of_somebody_else_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("linkage.toml").write_text("quiet = true\n")
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    if Path("linkage.toml").stat().st_uid == 0:
        os.chown("linkage.toml", 4343, -1)
    with pytest.raises(UsageError, match="somebody else"):
        settings.config_file(None)
    assert settings.config_file(Path("linkage.toml")) == Path("linkage.toml")


def test_config_show_tells_where_each_value_comes_from_and_no_secret(
    linkage: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("linkage.toml").write_text(
        "no-publish = true\n[ingest]\nhash = ['ip', 'device']\n[neo4j.publish]\nhow = 'bolt'\n"
    )
    monkeypatch.setenv("LINKAGE_CASE", "mine.duckdb")
    for name in settings.SECRETS:
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://ada:hunter2@example.com")
    code, out, err = linkage("config", "show")
    assert code == 0
    assert "hunter2" not in out + err
    found = sources(linkage("config", "show", "--all", "--json")[1])
    assert found["ingest hash"] == (["ip", "device"], "linkage.toml")
    assert found["neo4j publish how"] == ("bolt", "linkage.toml")
    assert found["neo4j publish scope"] == ("auto", "default")
    assert found["detect no-publish"] == (True, "linkage.toml")
    assert found["detect case"] == ("mine.duckdb", "LINKAGE_CASE")
    assert found["detect database"] == (None, "not set")
    assert found["detect calibrate"] == (False, "default")
    document = json.loads(linkage("config", "show", "detect", "--json")[1])
    assert {one["command"] for one in document["options"]} == {"detect"}
    assert document["environment"]["LINKAGE_PEPPER"] == "***"
    assert document["environment"]["LINKAGE_NEO4J_URI"] == "example.com"
    assert linkage("config", "show", "detct")[0] == ExitCode.NOT_FOUND


def test_the_shell_completes_commands_and_options(linkage: Callable[..., Output]) -> None:
    for shell in ("bash", "zsh", "fish"):
        code, out, _ = linkage("completion", shell)
        assert (code, "_LINKAGE_COMPLETE" in out) == (0, True)
    script = linkage("completion", "bash")[1] + "complete -p linkage\n"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert "_linkage_completion linkage" in done.stdout


def checks(out: str) -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in json.loads(out)["checks"]}


def test_doctor_works_with_nothing_there_and_changes_nothing(
    linkage: Callable[..., Output], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr("linkage.server.java._packaged", lambda: None)
    code, out, _ = linkage("doctor", "--json")
    found = checks(out)
    assert code == 0
    assert {name: one["state"] for name, one in found.items()} == {
        "python": "ok", "memory": "ok", "config": "ok", "environment": "ok", "disk": "ok", "case": "warn", "key": "ok",
        "java": "warn", "neo4j": "ok", "browser": "ok",
    }  # fmt: skip
    assert "pip install" in found["java"]["advice"]
    assert "linkage ingest" in found["case"]["advice"]
    assert list(tmp_path.iterdir()) == []
    code, out, err = linkage("doctor")
    assert (code, "linkage neo4j up" in out, "2 warnings" in err) == (0, True, True)


def test_doctor_says_what_is_wrong_with_the_environment_and_neo4j(
    linkage: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_THREAD", "2")
    monkeypatch.setenv("LINKAGE_NEO4J_URI", "bolt://127.0.0.1:1")
    monkeypatch.setenv("LINKAGE_NEO4J_BROWSER", "http://127.0.0.1:1")
    code, out, _ = linkage("doctor", "--json")
    found = checks(out)
    assert code == ExitCode.CHECK_FAILED
    assert found["environment"]["advice"] == "Did you mean LINKAGE_THREADS?"
    assert found["neo4j"]["state"] == "fail"
    assert found["browser"]["state"] == "warn"
    make_case(Path("linkage.duckdb"))
    monkeypatch.setenv("LINKAGE_THREADS", "many")
    found = checks(linkage("doctor", "--json")[1])
    assert all("no number of threads" in found[name]["said"] for name in ("environment", "case"))


def test_doctor_reads_a_case_of_any_state_and_leaves_it_as_it_is(
    sample_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health.case(sample_case).state == health.key(sample_case).state == "ok"
    fresh = make_case(tmp_path / "fresh.duckdb", accounts=[{"account_id": "a"}])
    assert (health.case(fresh).state, health.case(fresh).advice) == ("warn", "Look for rings: linkage detect")
    old = make_case(tmp_path / "old.duckdb")
    with store.writing(old) as con:
        forget_places(con)
        store.set_meta(con, "schema_version", "3")
    before = old.read_bytes()
    assert "version 3" in health.case(old).said
    assert not health.is_current(old)
    assert old.read_bytes() == before
    with store.writing(fresh) as con:
        store.set_meta(con, "schema_version", "99")
    assert "newer" in health.case(fresh).said
    text = tmp_path / "text.duckdb"
    text.write_text("no database" * 1000)
    assert [health.case(path).state for path in (text, tmp_path)] == ["fail", "fail"]
    # The key: another than the case's, one that others may read, none where one is needed.
    monkeypatch.setenv("LINKAGE_PEPPER", "another")
    assert (health.key(sample_case).state, health.key(text).state) == ("fail", "ok")
    monkeypatch.setenv("LINKAGE_PEPPER", " ")
    assert "empty" in health.key(sample_case).said
    monkeypatch.delenv("LINKAGE_PEPPER")
    keyed = make_case(tmp_path / "keyed.duckdb")
    make_key_file(key_file(keyed))
    assert health.key(keyed).state == "ok"
    # Another case's key, by a file.
    monkeypatch.setenv("LINKAGE_PEPPER_FILE", str(key_file(keyed)))
    assert "not the case's" in health.key(sample_case).said
    monkeypatch.setenv("LINKAGE_PEPPER_FILE", str(tmp_path / "gone"))
    assert "names no file" in health.key(keyed).said
    monkeypatch.delenv("LINKAGE_PEPPER_FILE")
    key_file(keyed).chmod(0o644)
    assert (health.key(keyed).state, "chmod 600" in health.key(keyed).advice) == ("warn", True)
    with store.writing(keyed) as con:
        store.set_meta(con, "key_id", "0" * 16)
        store.set_meta(con, forget.PENDING, "1")
    assert "linkage forget" in health.case(keyed).advice
    key_file(keyed).chmod(0o600)
    assert "not the case's" in health.key(keyed).said
    key_file(keyed).unlink()
    assert "missing" in health.key(keyed).said
    assert health.disk(tmp_path / "no" / "c.duckdb").state == "fail"
