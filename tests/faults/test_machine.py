"""A machine that refuses: no disk, no permission, no memory, a clock that goes back; and others at the same case.

Each time the command says so in a sentence and a hint, and the case is as it was before it, or as after.
"""

import os
import pwd
import resource
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from linkage import audit, results, store, until
from linkage.case_schema import SCHEMA_VERSION
from linkage.errors import ExitCode
from linkage.graph.wanted import run_is_fresh
from tests.cases import forget_places
from tests.faults.lab import Lab, clean
from tests.faults.states import differing, state
from tests.faults.workers import Done, Killer, Worker, finish
from tests.reliability import figure

pytestmark = pytest.mark.deep

WRITERS = {
    "ingest": "detected",
    "detect": "grown",
    "review": "detected",
    "allow": "detected",
}


def typed(lab: Lab, command: str) -> list[object]:
    words: dict[str, list[object]] = {
        "ingest": ["ingest", lab.kept / "later"],
        "detect": ["detect", "--no-publish"],
        "review": ["review", 1, "confirm"],
        "allow": ["allow", "ip", "198.51.100.17", "--reason", "ours"],
    }
    return [*words[command], "--case", lab.case]


def told(done: Done, says: str) -> None:
    """It was refused as it should be."""
    assert done.code == ExitCode.MACHINE, done
    lines = [line for line in done.err.splitlines() if line.startswith(("Error: ", "Hint: "))]
    assert len(lines) == 2, done.err
    assert says in lines[0], done.err
    assert "Traceback" not in done.err


def no_files_beyond(size: int) -> None:
    # A write beyond it raises EFBIG, as a full disk raises ENOSPC; Python ignores the signal.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("command", WRITERS)
def test_full_disk(lab: Lab, command: str) -> None:
    refused = 0
    lab.back(WRITERS[command])
    before, room = state(lab.case), lab.case.stat().st_size
    # What the command says goes into a file, too.
    for size in (400, 800, 10_000, 100_000, 1 << 20, room // 2, room, room + 300_000, room + 1_000_000, 4 * room):
        lab.back(WRITERS[command])
        done = finish(typed(lab, command), lab.kept / "starved", before=partial(no_files_beyond, size))
        there = state(lab.case)
        if done.code == ExitCode.DONE:
            assert differing(there, before)
        else:
            told(done, "disk is full")
            refused += 1
        again = finish(typed(lab, command), lab.kept / "starved")
        assert again.code == ExitCode.DONE, again.err
        # What was refused left no half: whole files of an ingest may be in, and what was decided may lack its line in
        # the file beside the case.
        assert command == "ingest" or done.code == ExitCode.DONE or there in (before, state(lab.case))
        clean(lab)
    # A decision fits into next to nothing.
    assert refused or command in ("review", "allow")
    figure("faults", fault="no room on the disk", command=command, times=refused, survived=refused)


def test_full_disk_where_files_are_written(lab: Lab) -> None:
    lab.back("detected")
    out = lab.kept / "starved-export"
    before = lab.export()
    shutil.copytree(lab.kept / "out", out)
    lab.run("review", 1, "confirm")
    done = finish(["export", out, "--case", lab.case], lab.kept / "starved", before=partial(no_files_beyond, 400))
    told(done, "disk is full")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    shutil.rmtree(out)


# Permissions. Tests may run as root, whom none stops.


def nobody() -> None:
    if os.getuid() == 0:
        found = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(found.pw_gid)
        os.setuid(found.pw_uid)


@pytest.fixture
def shown(lab: Lab) -> Iterator[Lab]:
    """The lab where others may look, not write."""
    with ExitStack() as stack:
        for folder in lab.folder.parents:
            mode = stat.S_IMODE(folder.stat().st_mode)
            if mode & 0o5 != 0o5:
                stack.callback(folder.chmod, mode)
                folder.chmod(mode | 0o55)
        lab.back("detected")
        for path in lab.folder.iterdir():
            path.chmod(0o444)
        lab.folder.chmod(0o555)
        yield lab
        lab.folder.chmod(0o755)


def test_no_permission(shown: Lab) -> None:
    lab = shown
    before = state(lab.case)
    beside = sorted(path.name for path in lab.folder.iterdir())
    for command in WRITERS:
        # The output goes to the test's own folder, which was opened by then.
        done = finish(typed(lab, command), lab.kept / "refused", before=nobody)
        told(done, "Permission denied")
    done = finish(["export", lab.folder / "out", "--case", lab.case], lab.kept / "refused", before=nobody)
    told(done, "Permission denied")
    done = finish(["rings", "--case", lab.case], lab.kept / "refused", before=nobody)
    assert done.code == ExitCode.DONE, done.err
    assert "22" in done.out or "12" in done.out
    assert not differing(state(lab.case), before)
    assert sorted(path.name for path in lab.folder.iterdir()) == beside


# Memory.


def little_memory(more: int) -> None:
    """At most so many bytes more than what is mapped by now."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more, mapped + more))


@pytest.mark.parametrize("command", WRITERS)
def test_no_memory(lab: Lab, command: str) -> None:
    refused = 0
    # With less not even Python says what is wrong.
    for megabytes in (4, 8, 16, 24, 48, 96):
        lab.back(WRITERS[command])
        before = state(lab.case)
        limit = partial(little_memory, megabytes << 20)
        done = finish(typed(lab, command), lab.kept / "starved", before=limit)
        there = state(lab.case)
        if done.code != ExitCode.DONE:
            told(done, "Out of memory")
            refused += 1
            assert command == "ingest" or not differing(there, before)
        assert finish(typed(lab, command), lab.kept / "starved").code == ExitCode.DONE
        clean(lab)
    # The others need next to nothing beyond what a process with linkage in it has.
    assert refused or command != "detect"
    figure("faults", fault="no memory", command=command, times=refused, survived=refused)


# The clock.


def clock(days: int) -> None:
    """The clock goes wrong by so many days."""
    told_by, away = until.utc_now, timedelta(days=days)
    for module in list(sys.modules.values()):
        if module.__name__.startswith("linkage") and getattr(module, "utc_now", None) is told_by:
            module.utc_now = lambda: told_by() + away  # type: ignore[attr-defined]


def test_a_clock_that_goes_back(lab: Lab) -> None:
    lab.back("ingested")

    def at(days: int, *words: object) -> None:
        done = finish([*words, "--case", lab.case], lab.kept / "log", before=partial(clock, days))
        assert done.code == ExitCode.DONE, done.err

    # What is newer than what does not depend on it.
    at(0, "detect", "--no-publish")
    assert run_is_fresh(lab.case)
    at(-20, "ingest", lab.kept / "later")
    assert not run_is_fresh(lab.case)
    at(-40, "detect", "--no-publish")
    assert run_is_fresh(lab.case)
    assert [run.run for run in results.runs(lab.case)] == [2, 1]
    # Nor does which decision counts.
    ring = results.rings(lab.case)[0].ring_id
    at(0, "review", ring, "confirm")
    at(-10, "review", ring, "dismiss")
    assert [found.status for found in results.rings(lab.case) if found.ring_id == ring] == ["dismissed"]
    at(-20, "review", ring, "watch")
    assert [found.status for found in results.rings(lab.case) if found.ring_id == ring] == ["watch"]
    at(0, "allow", "ip", "198.51.100.17", "--reason", "ours")
    at(-10, "allow", "ip", "198.51.100.17", "--take-back")
    with store.reading(lab.case) as con:
        assert con.execute("SELECT arg_max(allowed, allowance) FROM allowances").fetchall() == [(False,)]
    clean(lab)


# Others at the same case.


def no_patience() -> None:
    store.WAIT_SECONDS = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("command", WRITERS)
def test_the_second_writer_is_told_who_holds_the_case(lab: Lab, command: str) -> None:
    lab.back(WRITERS[command])
    with store.writing(lab.case):
        done = finish(typed(lab, command), lab.kept / "log", before=no_patience)
    told(done, f"in use by process {os.getpid()}")
    done = finish(typed(lab, command), lab.kept / "log")
    assert done.code == ExitCode.DONE, done.err
    clean(lab)


def test_two_ingests_at_once(lab: Lab) -> None:
    """Both make the case, and neither takes away what the other put in."""
    files = sorted((lab.kept / "in").iterdir())
    for _ in range(5):
        lab.empty()
        workers = [
            Worker(["ingest", *part, "--case", lab.case], lab.kept / f"both{number}")
            for number, part in enumerate((files[:3], files[3:]))
        ]
        for worker in workers:
            done = worker.wait()
            assert done is not None and done.code == ExitCode.DONE, done
        with store.reading(lab.case) as con:
            assert con.execute("SELECT count(*) FROM files").fetchall() == [(len(files),)]
            assert con.execute("SELECT count(*) FROM exchanges").fetchall() == [(600,)]
            assert con.execute("SELECT count(*) FROM accounts").fetchall() == [(150,)]
        clean(lab)


def test_two_searches_at_once(lab: Lab) -> None:
    lab.back("grown")
    wanted = lab.found()
    lab.back("grown")
    words = ["detect", "--no-publish", "--nulls", 0, "--case", lab.case]
    workers = [Worker(words, lab.kept / f"both{number}") for number in range(2)]
    ended = [worker.wait() for worker in workers]
    codes = sorted(done.code for done in ended if done)
    assert codes[0] == ExitCode.DONE and codes[1] in (ExitCode.DONE, ExitCode.MACHINE), ended
    for done in ended:
        if done and done.code == ExitCode.MACHINE:
            told(done, "has finished meanwhile")
    assert lab.export() == wanted
    clean(lab)


def test_readers_during_a_search(lab: Lab) -> None:
    """Each is answered within ten seconds."""
    lab.back("detected")
    rings = len(results.rings(lab.case))
    longest, answers = 0.0, 0
    worker = Worker(["detect", "--no-publish", "--nulls", 60, "--case", lab.case], lab.kept / "log")
    while (done := worker.wait(0.01)) is None:
        before = time.monotonic()
        # It raises after ten seconds.
        assert len(results.rings(lab.case, unlisted=True)) >= rings
        longest = max(longest, time.monotonic() - before)
        answers += 1
    assert done.code == ExitCode.DONE, done.err
    assert answers > 5
    figure("readers", answers=answers, longest=round(longest, 3))
    clean(lab)


def test_a_reader_is_told_who_holds_the_case(lab: Lab) -> None:
    lab.back("detected")
    with store.writing(lab.case):
        done = finish(["rings", "--case", lab.case], lab.kept / "log", before=no_patience)
    told(done, f"in use by process {os.getpid()}")
    assert len(results.rings(lab.case)) == 2


# Cases of other versions.


def age(lab: Lab) -> None:
    """The case as version 3 had it."""
    lab.back("detected")
    with store.writing(lab.case) as con:
        forget_places(con)
        con.execute("DROP TABLE ring_kinds; DROP TABLE ring_strongest; DROP TABLE lives; DROP TABLE likeness")
        store.set_meta(con, "schema_version", "3")
    audit.beside(lab.case).unlink()


def rows_of(case: Path, *, version: str) -> dict[str, list[tuple[object, ...]]]:
    """What a case of any version holds, once it says that it is of this one."""
    con = store.connect(case, read_only=True)
    try:
        assert con.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [(version,)]
        names = [row[0] for row in con.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()]
        return {name: con.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in names}
    finally:
        con.close()


def test_an_older_case_is_brought_up_to_date_with_a_backup(lab: Lab) -> None:
    age(lab)
    lab.case.chmod(0o640)
    before = rows_of(lab.case, version="3")
    lab.run("rings")
    kept = store.backup(lab.case, 3)
    assert kept.name == "c.duckdb.v3"
    assert rows_of(kept, version="3") == before
    assert kept.stat().st_mode & 0o777 == 0o640
    after = rows_of(lab.case, version=str(SCHEMA_VERSION))
    assert all(len(after[name]) == len(rows) for name, rows in before.items() if name != "meta")
    stamp = kept.stat().st_mtime_ns
    lab.run("rings")
    assert kept.stat().st_mtime_ns == stamp
    # The old version can be put back, and is brought up to date again.
    shutil.copy(kept, lab.case)
    lab.run("detect", "--no-publish")
    assert len(results.rings(lab.case)) == 2


def test_a_migration_that_is_killed_or_has_no_room(lab: Lab) -> None:
    age(lab)
    lab.keep("aged")
    before = rows_of(lab.case, version="3")
    done = finish(["rings", "--case", lab.case], lab.kept / "log", before=partial(no_files_beyond, 1 << 20))
    told(done, "disk is full")
    assert rows_of(lab.case, version="3") == before
    assert not store.backup(lab.case, 3).exists()
    lab.run("rings")
    after = state(lab.case)

    def prepare() -> list[object]:
        lab.back("aged")
        return ["rings", "--case", lab.case]

    def check(killed: bool) -> None:
        con = store.connect(lab.case, read_only=True)
        try:
            version = store.meta(con, "schema_version")
        finally:
            con.close()
        if version == "3":
            assert rows_of(lab.case, version="3") == before
        else:
            assert not differing(state(lab.case), after)
        lab.run("rings")
        assert not differing(state(lab.case), after)
        backup = store.backup(lab.case, 3)
        assert rows_of(backup, version="3") == before
        backup.unlink()
        # A log that the kill left is part of the case for who reads; the next to write takes it in.
        store.settle(lab.case)
        clean(lab)

    Killer("migration", 20, lab.kept / "killed").each(prepare, check)
