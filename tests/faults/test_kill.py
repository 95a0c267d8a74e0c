"""SIGKILL at random instants of every command that writes. Nothing is lost, and a rerun completes it.

What DESIGN promises: an ingest leaves the case as after some whole number of input files, every other command as before
or after it; and a rerun gives the same export bytes as a history that nobody disturbed.
"""

import shutil
from collections.abc import Sequence

import pytest

from linkage import store
from linkage.secret import key_file
from tests.faults.lab import Lab, clean
from tests.faults.states import State, differing, ingested, state
from tests.faults.workers import Killer

pytestmark = pytest.mark.deep

# Ingest.


@pytest.mark.parametrize("start", ["nothing", "detected"])
def test_ingest(lab: Lab, start: str) -> None:
    export = lab.kept / ("in" if start == "nothing" else "later")
    paths = sorted(export.iterdir())

    def begin() -> None:
        lab.empty() if start == "nothing" else lab.back(start)

    whole_numbers: list[State] = []
    for number in range(len(paths) + 1):
        begin()
        if number:
            lab.run("ingest", *paths[:number])
            whole_numbers.append(ingested(state(lab.case)))
        elif start != "nothing":
            whole_numbers.append(ingested(state(lab.case)))
    complete = state(lab.case)
    wanted = lab.found()
    assert wanted["members.csv"].count(b"\n") > 20

    def prepare() -> Sequence[object]:
        begin()
        return ["ingest", export, "--case", lab.case]

    def check(killed: bool) -> None:
        if lab.case.exists():
            there = ingested(state(lab.case))
            # A new case is there before its first file is.
            empty = all(rows == 0 for rows, _ in there.values())
            assert there in whole_numbers or empty, differing(there, whole_numbers[-1])
        if killed:
            lab.run("ingest", export)
        assert not differing(state(lab.case), complete)
        clean(lab)
        assert lab.found() == wanted

    Killer(f"ingest into {start}", 30, lab.kept / "killed").each(prepare, check)


def test_first_ingest_without_a_key(lab: Lab) -> None:
    """The key is made by then or not, whole, and none but the case's own."""
    paths = [lab.kept / "in" / "accounts-1.csv"]

    def prepare() -> Sequence[object]:
        lab.empty()
        key_file(lab.case).unlink()
        return ["ingest", *paths, "--case", lab.case]

    def check(killed: bool) -> None:
        before = key_file(lab.case).read_bytes() if key_file(lab.case).exists() else None
        assert before is None or len(before) == 65
        lab.run("ingest", *paths)
        assert before in (None, key_file(lab.case).read_bytes())
        with store.reading(lab.case) as con:
            assert con.execute("SELECT count(*), count(email) FROM accounts").fetchall() == [(75, 75)]
        clean(lab)

    Killer("ingest without a key", 15, lab.kept / "killed").each(prepare, check)


# What writes into a case in one transaction.


@pytest.mark.parametrize(
    ("words", "start", "kills"),
    [
        (("detect", "--no-publish"), "grown", 40),
        (("review", "1", "confirm", "--note", "one hand"), "detected", 40),
        (("review", "1", "split", "--member", "acct-012", "--member", "acct-013"), "detected", 20),
        (("allow", "ip", "198.51.100.17", "--reason", "ours"), "detected", 30),
    ],
)
def test_all_or_nothing(lab: Lab, words: tuple[str, ...], start: str, kills: int) -> None:
    lab.back(start)
    before = state(lab.case)
    lab.run(*words)
    after = state(lab.case)
    assert differing(before, after)
    wanted = lab.export()

    def prepare() -> Sequence[object]:
        lab.back(start)
        return [*words, "--case", lab.case]

    def check(killed: bool) -> None:
        there = state(lab.case)
        done = not differing(there, after)
        assert done or not differing(there, before), differing(there, before)
        if killed:
            lab.run(*words)
        # A search that was finished is one run more, with the same rings.
        assert words[0] == "detect" or not differing(state(lab.case), after)
        clean(lab)
        assert lab.export() == wanted

    Killer(" ".join(words[:1] if words[0] != "review" else words[:1] + words[2:3]), kills, lab.kept / "killed").each(
        prepare, check
    )


# What writes files.


def test_export(lab: Lab) -> None:
    """Every file is there whole, or as it was."""
    out = lab.kept / "export"
    lab.back("detected")
    before = lab.export()
    lab.run("review", 1, "split", "--member", "acct-012", "--member", "acct-013")
    lab.run("allow", "ip", "198.51.100.17", "--reason", "ours")
    lab.run("detect", "--no-publish")
    wanted = lab.export()
    assert [name for name in wanted if before.get(name) == wanted[name]] == []
    whole = state(lab.case)

    def prepare() -> Sequence[object]:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        for name, content in before.items():
            (out / name).write_bytes(content)
        return ["export", out, "--case", lab.case]

    def check(killed: bool) -> None:
        for name in wanted:
            assert (out / name).read_bytes() in (before[name], wanted[name])
        if killed:
            lab.run("export", out)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == wanted
        assert not differing(state(lab.case), whole)
        clean(lab)

    Killer("export", 30, lab.kept / "killed").each(prepare, check)
