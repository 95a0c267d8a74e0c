"""What a killed process leaves, and what two processes that write to one place do to each other."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linkage import store
from linkage.errors import CaseBusyError
from linkage.files import clear, fresh, private_folder, replace
from linkage.graph.publish import publish
from linkage.ingest import ingest
from linkage.secret import key_file, make_key_file
from tests.cases import make_case

HOLD = """
import sys, pathlib
from linkage import files
path = pathlib.Path(sys.argv[1])
with files.private_folder(path, ".scratch") as folder, files.fresh(path) as (name, file):
    file.write(b"half")
    file.flush()
    print(folder, name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process in the middle of its work beside `tmp_path / "a"`."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / "a")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_what_is_held_stays_and_what_a_killed_process_left_goes(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    assert holder.stdout
    held = {Path(name) for name in holder.stdout.readline().split()}
    assert held == set(tmp_path.iterdir())
    for suffix in (".scratch", ".new"):
        clear(tmp_path / "a", suffix)
    assert held == set(tmp_path.iterdir())
    # They are cleared when something is written to the same place, and by nothing else.
    holder.kill()
    holder.wait()
    replace(tmp_path / "b", b"whole")
    assert held < set(tmp_path.iterdir())
    assert replace(tmp_path / "a", b"whole")
    with private_folder(tmp_path / "a", ".scratch"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_what_is_somebody_elses_or_no_file_of_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".a.mine.new.txt").write_text("x")
    (tmp_path / "target").write_text("x")
    (tmp_path / ".a.link.new").symlink_to(tmp_path / "target")
    (tmp_path / ".[a].x.new").write_text("x")
    replace(tmp_path / "a", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".[a].x.new", ".a.link.new", ".a.mine.new.txt", "a", "target",
    ]  # fmt: skip
    assert (tmp_path / "target").read_text() == "x"


def test_a_file_that_is_not_renamed_goes_and_the_old_content_stays(tmp_path: Path) -> None:
    replace(tmp_path / "a", b"old")
    with pytest.raises(ZeroDivisionError), fresh(tmp_path / "a") as (_, file):
        file.write(b"new")
        raise ZeroDivisionError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_folder_that_another_process_clears_away_at_once_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def mkdtemp(**named: Any) -> str:
        made.append(original(**named))
        if len(made) == 1:
            clear(tmp_path / "c", ".scratch")
        return made[-1]

    original = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    with private_folder(tmp_path / "c", ".scratch") as folder:
        assert [str(folder)] == made[1:]
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_nothing_replaces_a_case_or_a_key_that_is_there(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}])
    before = case.read_bytes()
    assert not store.create(case)
    assert case.read_bytes() == before
    assert make_key_file(key_file(case))
    key = key_file(case).read_bytes()
    assert not make_key_file(key_file(case))
    assert key_file(case).read_bytes() == key
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.duckdb", "c.duckdb.key"]


def test_the_other_name_of_a_key_goes_that_a_killed_process_left(tmp_path: Path) -> None:
    export = tmp_path / "accounts.csv"
    export.write_text("account_id\na\n")
    key = key_file(tmp_path / "c.duckdb")
    make_key_file(key)
    os.link(key, tmp_path / f".{key.name}.0a0a0a0a.new")
    ingest([export], tmp_path / "c.duckdb")
    assert key.stat().st_nlink == 1


def test_what_a_killed_process_committed_is_taken_into_the_case(tmp_path: Path) -> None:
    export = tmp_path / "accounts.csv"
    export.write_text("account_id\na\n")
    case = tmp_path / "c.duckdb"
    ingest([export], case)
    code = (
        "import os, sys; from pathlib import Path; from linkage import store\n"
        "with store.writing(Path(sys.argv[1])) as con: store.set_meta(con, 'left', 'here'); con.execute('COMMIT'); "
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(case)], check=False).returncode == 9
    log = case.with_name("c.duckdb.wal")
    assert log.exists()
    # It changes nothing, as the file is in already.
    ingest([export], case)
    assert not log.exists()
    with store.reading(case) as con:
        assert store.meta(con, "left") == "here"


def test_one_publish_at_a_time(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb")
    lock = tmp_path / ".c.duckdb.publish.lock"
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    words = [sys.executable, "-c", code, str(lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        holder.stdout.readline()
        from linkage.graph import Target

        with pytest.raises(CaseBusyError, match="Another publish"):
            publish(case, Target("bolt://127.0.0.1:9"))
        holder.kill()
    assert lock.exists()
