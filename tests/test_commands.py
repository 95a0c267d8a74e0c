"""The command line as a person types it: output, exit codes, hints, hostile text."""

import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import shlex
import shutil
import signal
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkage import results, store
from linkage.commands import COMMANDS, run
from linkage.detect import detect
from linkage.errors import CaseBusyError, ExitCode
from linkage.export import export
from linkage.ingest import ingest
from linkage.sample import FOLDER
from tests.cases import Output, make_case


def child(*words: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "linkage", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


def test_help_names_every_command_and_each_has_help(linkage: Callable[..., Output]) -> None:
    code, out, _ = linkage("--help")
    assert code == 0
    for name, line in COMMANDS.items():
        assert f"{name} " in out
        assert line in out
        code, text, _ = linkage(name, "--help")
        assert code == 0
        assert line in " ".join(text.split())


def test_help_imports_click_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); from linkage.commands import run; run(['--help']);"
        "run(['detect', '--help']); run(['ingest', '--help']);"
        "new = {name.partition('.')[0] for name in sys.modules.keys() - before} - sys.stdlib_module_names;"
        "sys.exit(' '.join(sorted(new - {'linkage', 'click'})) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_three_commands_and_what_follows(linkage: Callable[..., Output], sample_case: Path, tmp_path: Path) -> None:
    at = ("--case", sample_case)
    code, out, err = linkage("rings", *at)
    assert code == 0
    assert "accounts share" in out
    assert "linkage ring R" in err
    rows = json.loads(linkage("rings", *at, "--json")[1])
    scores = [row["score"] for row in rows["rows"] if row["status"] != "explained"]
    assert f"if the scores hold: about {len(scores) - sum(scores):.1f} of {len(scores)} " in err
    assert rows["schema"] == "linkage.rings/1"
    ids = [row["ring_id"] for row in rows["rows"]]
    assert [row["rank"] for row in rows["rows"]] == list(range(1, len(ids) + 1))
    lines = linkage("rings", *at, "--jsonl", "--limit", 2)[1].splitlines()
    assert [json.loads(line)["ring_id"] for line in lines] == ids[:2]
    for name in (ids[0], ids[0][:6], "1", "#1"):
        code, out, _ = linkage("ring", name, *at)
        assert (code, ids[0] in out) == (0, True)
    assert "Evidence, in bits" in out
    assert "Doubts:" in out
    document = json.loads(linkage("ring", ids[0], *at, "--json")[1])
    assert document["ring"]["ring_id"] == ids[0]
    assert {"members", "evidence", "bystanders"} <= set(document)
    assert sum(kind["bits"] for kind in document["kinds"]) > document["ring"]["bits"]
    a, b = (member["account_id"] for member in document["members"][:2])
    assert json.loads(linkage("why", a, b, *at, "--json")[1])["ring_id"] == ids[0]
    assert linkage("why", a, b, *at)[0] == 0
    assert linkage("hubs", *at)[0] == linkage("hubs", *at, "--json")[0] == 0
    assert json.loads(linkage("runs", *at, "--json")[1])["rows"][0]["parameters"]["algorithm"] == "leiden"
    assert linkage("runs", *at)[0] == 0
    code, out, _ = linkage("export", tmp_path / "out", *at)
    assert (code, "Nothing changed" in out) == (0, False)
    assert "Nothing changed" in linkage("export", tmp_path / "out", *at)[1]
    assert linkage("export", tmp_path / "out", *at, "--format", "parquet")[0] == 0
    with duckdb.connect() as con:
        found = con.execute(f"SELECT ring_id, rank FROM '{tmp_path}/out/rings.parquet' ORDER BY rank").fetchall()
    assert [row[0] for row in found] == ids


def test_the_same_answers_from_python(sample_case: Path) -> None:
    import linkage

    case = linkage.Case(sample_case)
    rings = case.rings()
    assert list(rings["rank"]) == list(range(1, len(rings) + 1))
    first = rings.ring_id[0]
    assert len(case.members("1")) == rings.accounts[0] == (case.members().ring_id == first).sum()
    assert list(case.evidence(first).columns) == list(case.evidence().columns)
    assert set(case.bystanders(first).columns) == {"ring_id", "account_id", "bits", "reason"}
    assert len(case.hubs()) > 0
    assert case.runs().run[0] >= 1
    assert len(case.rings(unlisted=True)) > len(rings)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rings",), ExitCode.NOT_FOUND, "There is no case file"),
        (("detect",), ExitCode.NOT_FOUND, "linkage ingest PATH"),
        (("ring", "1"), ExitCode.NOT_FOUND, "no case file"),
        (("why", "a", "b"), ExitCode.NOT_FOUND, "no case file"),
        (("rejects",), ExitCode.NOT_FOUND, "no case file"),
        (("export", "out"), ExitCode.NOT_FOUND, "no case file"),
        (("evaluate", "truth.csv"), ExitCode.NOT_FOUND, "no case file"),
        (("ingest", "missing.csv"), ExitCode.NOT_FOUND, "No such file"),
        (("ingest",), ExitCode.USAGE, "Missing argument"),
        (("detect", "--algorithm", "magic"), ExitCode.USAGE, "magic"),
        (("detect", "--min-accounts", "1"), ExitCode.USAGE, "min-accounts"),
        (("nonsense",), ExitCode.USAGE, "nonsense"),
        (("simulate", "x", "--accounts", "5"), ExitCode.USAGE, "accounts"),
    ],
)
def test_errors_are_one_sentence_with_the_right_code(
    linkage: Callable[..., Output],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: ExitCode,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    got, out, err = linkage(*words)
    assert got == code
    assert said in err
    assert out == ""
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_makes_no_sense_is_told(
    linkage: Callable[..., Output], sample_case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_THREADS", "many")
    code, _, err = linkage("rings", "--case", sample_case)
    assert (code, "no number of threads" in err) == (ExitCode.USAGE, True)
    monkeypatch.delenv("LINKAGE_THREADS")
    for given, said in (("lots", "no amount of memory"), ("10MB", "too little"), ("4 gb", "")):
        code, _, err = linkage("detect", "--nulls", "0", "--memory", given, "--case", sample_case.parent / "none")
        assert code == (ExitCode.USAGE if said else ExitCode.NOT_FOUND), err
        assert said in err
        assert "LINKAGE_MEMORY" not in os.environ


def test_a_bound_on_memory_changes_no_byte(
    linkage: Callable[..., Output], sample_case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_MEMORY", "1.5 GiB")
    with store.reading(sample_case) as con:
        assert con.execute("SELECT current_setting('memory_limit')").fetchall() == [("767.7 MiB",)]
    case = tmp_path / "case.duckdb"
    shutil.copy(f"{sample_case}.key", f"{case}.key")
    assert linkage("ingest", FOLDER, "--memory", "1GB", "--case", case)[0] == 0
    assert linkage("detect", "--nulls", "0", "--memory", "1GB", "--case", case)[0] == 0
    assert [(r.ring_id, r.score) for r in results.rings(case, unlisted=True)] == [
        (r.ring_id, r.score) for r in results.rings(sample_case, unlisted=True)
    ]


def test_a_case_without_a_run_and_rings_that_are_not_there(linkage: Callable[..., Output], tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}, {"account_id": "b"}])
    for words in (("rings",), ("hubs",), ("ring", "1"), ("export", tmp_path / "out"), ("why", "a", "b")):
        code, _, err = linkage(*words, "--case", case)
        assert (code, "no run yet" in err) == (ExitCode.NOT_FOUND, True), words
    assert linkage("runs", "--case", case)[0] == 0
    assert linkage("detect", "--case", case)[0] == 0
    code, out, err = linkage("rings", "--case", case)
    assert (code, out) == (0, "")
    assert "No rings" in err
    code, _, err = linkage("ring", "7", "--case", case)
    assert (code, "no ring '7'" in err) == (ExitCode.NOT_FOUND, True)


def test_files_that_are_no_case_or_from_the_future_are_refused_unchanged(
    linkage: Callable[..., Output], tmp_path: Path
) -> None:
    future = make_case(tmp_path / "future.duckdb")
    with store.writing(future) as con:
        store.set_meta(con, "schema_version", "99")
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as con:
        con.execute("CREATE TABLE t (x INT)")
    text = tmp_path / "text.duckdb"
    text.write_text("not a database, but long enough to look like one" * 100)
    export = tmp_path / "logins.csv"
    export.write_text("account_id\na\n")
    for case, said in ((future, "newer linkage"), (other, "not a linkage case"), (text, "not a case file")):
        before = case.read_bytes()
        for words in (("rings",), ("detect",), ("ingest", export)):
            code, _, err = linkage(*words, "--case", case)
            assert (code, said in err) == (ExitCode.INPUT, True), (words, err)
        assert case.read_bytes() == before
    code, _, err = linkage("rings", "--case", tmp_path)
    assert (code, "is a folder" in err) == (ExitCode.INPUT, True)


def test_hostile_ids_arrive_as_they_are_and_move_no_terminal(linkage: Callable[..., Output], tmp_path: Path) -> None:
    hostile = ["[red]x\x1b[31m", "=cmd|' /C calc'!A0", "a'); DROP TABLE rings; --", "é\u202eb", "<script>"]
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": name} for name in hostile],
        payments=[{"account_id": name, "payment_id": "=1+1"} for name in hostile],
        logins=[{"account_id": name, "device_id": "[/bold]"} for name in hostile],
    )
    assert linkage("detect", "--case", case, "--min-accounts", 2)[0] == 0
    assert linkage("rings", "--case", case, "--all")[0] == 0
    code, out, _ = linkage("ring", "1", "--case", case)
    assert code == 0
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]x\\x1b[31m" in out
    assert "[/bold]" in out
    members = json.loads(linkage("ring", "1", "--case", case, "--json")[1])["members"]
    assert sorted(member["account_id"] for member in members) == sorted(hostile)
    assert linkage("why", hostile[0], hostile[2], "--case", case)[0] == 0
    with store.writing(case) as con:
        con.execute("UPDATE rings SET listed = true")
    linkage("export", tmp_path / "out", "--case", case)
    text = (tmp_path / "out" / "evidence.csv").read_text() + (tmp_path / "out" / "members.csv").read_text()
    assert "'=1+1" in text
    assert ",=" not in text


def test_hostile_file_and_column_names_move_no_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "in\x1b[2J"
    folder.mkdir()
    (folder / "accounts-[red]\x9b31m.csv").write_text("account_id,a\x1b[31m,\u202eb\na,1,2\n")
    code, out = on_terminal(80, "ingest", folder, "--case", tmp_path / "c.duckdb")
    assert code == 0
    # The progress bar's own escapes are gone: what is left came from the names.
    left = re.sub(r"\x1b\[[0-9;?]*[mhlKA]", "", out)
    assert "\x1b" not in left
    assert "\x9b" not in left
    assert "\u202e" not in left
    assert "in\\x1b[2J" in left
    assert "accounts-[red]\\x9b31m.csv: 1 rows" in left
    assert "a\\x1b[31m, \\u202eb" in left
    code, out = on_terminal(80, "rings", "--case", tmp_path / "no\x1b[31m.duckdb")
    assert code == ExitCode.NOT_FOUND
    assert "\x1b" not in out
    done = child("ingest", folder, "--case", tmp_path / "c.duckdb", "--json")
    assert "\x9b" not in done.stdout
    assert json.loads(done.stdout)["files"][0]["path"].endswith("accounts-[red]\x9b31m.csv")


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_a_terminal_and_break_no_id(sample_case: Path, width: int) -> None:
    rings = json.loads(child("rings", "--case", sample_case, "--json").stdout)["rows"]
    code, out = on_terminal(width, "rings", "--case", sample_case)
    assert code == 0
    assert all(ring["ring_id"] in out for ring in rings)
    assert max(map(len, out.splitlines())) <= width
    for ring in rings[:4]:
        found = json.loads(child("ring", ring["ring_id"], "--case", sample_case, "--json").stdout)
        code, out = on_terminal(width, "ring", ring["ring_id"], "--case", sample_case, "-q")
        assert code == 0
        assert all(member["account_id"] in out for member in found["members"][:20])
        values = [line["value"] for line in found["evidence"]]
        assert all(value in out for value in values[:12])
        # Only a long value may reach over the edge: it stands last, so that nothing else is torn.
        ends = tuple(end for value in values for end in (value, f"({value})"))
        assert all(len(line) <= width or line.endswith(ends) for line in out.splitlines())


def on_terminal(width: int, *words: object) -> tuple[int, str]:
    """Run a command in a child whose streams are a terminal of so many columns; colours are taken off."""
    code = "import sys; from linkage.commands import run; sys.exit(run(sys.argv[1:]))"
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(width)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    parts = []
    # Linux ends a terminal that nobody holds any more with EIO.
    with contextlib.suppress(OSError):
        while part := os.read(leader, 65536):
            parts.append(part)
    os.close(leader)
    text = b"".join(parts).decode().replace("\r\n", "\n")
    return process.wait(timeout=60), re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_quiet_says_nothing_but_the_result_and_verbose_says_how_long(
    linkage: Callable[..., Output], sample_case: Path, tmp_path: Path
) -> None:
    code, out, err = linkage("rings", "--case", sample_case, "-q")
    assert (code, err) == (0, "")
    assert out
    export = tmp_path / "accounts.csv"
    export.write_text("account_id,colour\na,red\n,blue\n")
    case = tmp_path / "c.duckdb"
    assert linkage("ingest", export, "--case", case, "--quiet")[2] == ""
    assert linkage("detect", "--case", case, "-q")[2] == ""
    assert "Seconds: sightings" in linkage("detect", "--case", case, "-v")[2]
    assert "no ring '9'" in linkage("ring", "9", "--case", case, "-q")[2]


def test_commands_in_hints_can_be_typed(linkage: Callable[..., Output], tmp_path: Path) -> None:
    names = ["a b", "$(c)", "d"]
    case = make_case(
        tmp_path / "c.duckdb",
        accounts=[{"account_id": name} for name in names],
        payments=[{"account_id": name, "payment_id": "card"} for name in names],
    )
    linkage("detect", "--case", case)
    err = linkage("ring", "1", "--case", case)[2]
    hint = err.partition("linkage why ")[2].partition("    ")[0]
    assert set(shlex.split(hint)) <= set(names)


def test_output_that_nobody_reads_to_the_end_is_no_error(sample_case: Path) -> None:
    command = f"{sys.executable} -m linkage rings --all --jsonl --case {sample_case} | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rank"] == 1


def test_a_case_that_is_held_names_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}])
    code = f"import duckdb, time; c = duckdb.connect({str(case)!r}); print(1, flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        holder.stdout.readline()
        monkeypatch.setattr(store, "WAIT_SECONDS", 0.5)
        with pytest.raises(CaseBusyError, match=f"process {holder.pid}"), store.reading(case):
            pass
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout:
            holder.stdout.close()


# What the machine refuses. Tests may run as root, whom no permission stops: the command runs as nobody then.


def unprivileged(*words: object) -> "subprocess.CompletedProcess[str]":
    # Everything is imported before root is given up: the interpreter may lie where only root may look.
    code = (
        "import encodings.utf_8_sig, os, pwd, sys, linkage.ingest, linkage.results, linkage.output\n"
        "from linkage.commands import run\n"
        "import linkage.commands.ingest, linkage.commands.rings; nobody = pwd.getpwnam('nobody')\n"
        "if os.getuid() == 0: os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid)\n"
        "sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def _seen_by_others(tmp_path: Path) -> Iterator[None]:
    """Others may look into the test's folder, however deep it lies, until the test is over."""
    with contextlib.ExitStack() as stack:
        for folder in (tmp_path, *tmp_path.parents):
            mode = stat.S_IMODE(folder.stat().st_mode)
            if mode & 0o5 != 0o5:
                stack.callback(folder.chmod, mode)
                folder.chmod(mode | 0o55)
        yield


@pytest.mark.usefixtures("_seen_by_others")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    export = tmp_path / "logins.csv"
    export.write_text("account_id\na\nb\n")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    done = unprivileged("ingest", export, "--case", locked / "c.duckdb")
    assert done.returncode == ExitCode.MACHINE, done.stderr
    assert "Permission denied" in done.stderr
    assert str(locked) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(locked.iterdir()) == []
    case = make_case(tmp_path / "mine.duckdb", accounts=[{"account_id": "a"}])
    case.chmod(0o600 if os.getuid() == 0 else 0o000)
    done = unprivileged("rings", "--case", case)
    assert done.returncode == ExitCode.MACHINE, done.stderr
    assert "Permission denied" in done.stderr


def test_a_full_disk_is_told_and_leaves_the_case_as_it_was(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}])
    before = case.read_bytes()
    export = tmp_path / "logins.csv"
    export.write_text(
        "account_id,ip,device_id\n" + "".join(f"a{n},8.{n % 250}.{n % 240}.1,d{n * 7919}\n" for n in range(400_000))
    )

    def small_files() -> None:
        # A write beyond the limit raises EFBIG, as a full disk raises ENOSPC, if the signal is ignored.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = child("ingest", export, "--case", case, preexec_fn=small_files)
    assert done.returncode == ExitCode.MACHINE, (done.returncode, done.stderr)
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM logins").fetchone() == (0,)
        assert con.execute("SELECT count(*) FROM files").fetchone() == (0,)
    assert len(before) <= case.stat().st_size
    assert not list(tmp_path.glob(".*.scratch"))


def test_an_interrupt_leaves_whole_files_and_a_killed_ingest_can_be_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "accounts.csv").write_text("account_id\na\nb\n")
    lines = "".join(f"a{n},8.{n % 250}.{n % 240}.1,d{n}\n" for n in range(300_000))
    (folder / "logins.csv").write_text("account_id,ip,device_id\n" + lines)
    for name, sign, code in (("i", signal.SIGINT, ExitCode.INTERRUPTED), ("k", signal.SIGKILL, -9)):
        case = tmp_path / f"{name}.duckdb"
        process = subprocess.Popen(
            [sys.executable, "-m", "linkage", "ingest", str(folder), "--case", str(case)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and not list(tmp_path.glob(f".{name}.duckdb.*.scratch/scratch.duckdb")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(sign)
        _, err = process.communicate(timeout=60)
        # A very fast machine may have finished before the signal came.
        assert process.returncode in (code, 0), err
        assert "Traceback" not in err
        assert "nanobind" not in err
        ingest([folder], case)
        with store.reading(case) as con:
            assert con.execute("SELECT count(*) FROM logins").fetchone() == (300_000,)
        assert not list(tmp_path.glob(f".{name}.duckdb.*.scratch"))


def test_an_interrupt_stops_a_running_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def detect(case: Path, **_: Any) -> None:
        with store.reading(case) as con:
            # Not before: what comes first may take long on a busy machine, and is not what is interrupted here.
            timer.start()
            # Without the interrupt it would run for hours.
            con.execute("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE sha256(a.range || '') < '0'")

    monkeypatch.setattr("linkage.detect.detect", detect)
    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": "a"}])
    before = signal.getsignal(signal.SIGINT)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    assert run(["detect", "--case", str(case)]) == ExitCode.INTERRUPTED
    timer.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_export_and_the_frames_keep_their_types_without_rings(tmp_path: Path) -> None:
    import linkage

    case = make_case(tmp_path / "c.duckdb", accounts=[{"account_id": name} for name in "abc"])
    found = linkage.Case(case)
    found.detect()
    rings = found.rings()
    assert len(rings) == 0
    assert [str(rings[name].dtype) for name in ("rank", "score", "q_value", "listed", "last_seen")] == [
        "int64", "float64", "float64", "bool", "datetime64[us]",
    ]  # fmt: skip
    assert found.export(tmp_path / "out", "parquet").rows == {"rings": 0, "members": 0, "evidence": 0}
    with duckdb.connect() as con:
        types = con.execute(f"DESCRIBE FROM '{tmp_path}/out/rings.parquet'").fetchall()
    assert [row[1] for row in types[:4]] == ["VARCHAR", "BIGINT", "DOUBLE", "DOUBLE"]


def test_file_order_and_threads_change_no_byte_of_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(FOLDER.glob("*.gz"))
    monkeypatch.setenv("LINKAGE_PEPPER", "one pepper")
    exports = []
    for name, order, threads in (("one", files, "1"), ("two", files[::-1], "2")):
        monkeypatch.setenv("LINKAGE_THREADS", threads)
        case = tmp_path / f"{name}.duckdb"
        for path in order if threads == "2" else [files]:
            ingest(path if isinstance(path, list) else [path], case)
        detect(case, seed=7)
        export(case, tmp_path / name)
        exports.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert exports[0] == exports[1]
    assert set(exports[0]) == {"rings.csv", "members.csv", "evidence.csv"}
    header = exports[0]["rings.csv"].partition(b"\n")[0].decode()
    assert header == "ring_id,rank,score,q_value,status,accounts,exchanges,first_seen,last_seen,why"
