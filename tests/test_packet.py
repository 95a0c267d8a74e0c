"""Evidence packets: whole, backed row by row, and found out when anything changed."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from linkage import packet, results, store
from linkage.commands import cli
from linkage.detect import detect
from linkage.errors import CheckFailedError, ExitCode, InputError, NotFoundError, UsageError
from linkage.ingest import ingest
from linkage.review import decide
from linkage.ring_why import ring_why
from linkage.text import original


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exports, among them a hostile id, and a case with one ring."""
    folder = tmp_path_factory.mktemp("packet")
    exports = folder / "exports"
    exports.mkdir()
    names = ['=1+1|"<b>*x*', *(f"acct{n}" for n in range(6))]
    with (exports / "payments.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("account_id", "payment_id"), *((name, "card-1") for name in names)])
    with (exports / "logins.csv").open("w", newline="") as file:
        rows = [(name, "device-1", f"2026-03-0{1 + at}T00:00:00Z") for name in names for at in range(3)]
        csv.writer(file).writerows([("account_id", "device_id", "at"), *rows])
    with (exports / "accounts.csv").open("w", newline="") as file:
        others = [(f"other{n}", f"2026-01-{1 + n % 28:02}", "active") for n in range(150)]
        members = [(name, "2026-03-01", "banned" if at < 2 else "active") for at, name in enumerate(names)]
        csv.writer(file).writerows([("account_id", "created_at", "status"), *others, *members])
    ingest([exports], folder / "case.duckdb")
    detect(folder / "case.duckdb", nulls=0)
    return folder


@pytest.fixture
def case(made: Path, tmp_path: Path) -> Path:
    """A copy of the case, with its key."""
    for name in ("case.duckdb", "case.duckdb.key"):
        shutil.copy(made / name, tmp_path / name)
    return tmp_path / "case.duckdb"


def test_each_sentence_has_its_rows_and_each_row_its_file(case: Path, made: Path, tmp_path: Path) -> None:
    paths = packet.write(case, "1", tmp_path / "out")
    assert [path.name for path in paths] == ["summary.md", "rows.csv", "ring.json", "decisions.json", "manifest.json"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
    manifest = json.loads(paths[-1].read_text())
    for path in paths[:-1]:
        assert manifest["files"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (made / "exports").iterdir()}
    assert {(Path(row["file"]).name, row["sha256"]) for row in rows} == set(hashes.items())
    # Each row is where it is said to be.
    lines = {}
    for name in hashes:
        with (made / "exports" / name).open(newline="") as file:
            lines[name] = list(csv.reader(file))
    for row in rows:
        assert original(row["account_id"]) in lines[Path(row["file"]).name][int(row["line"]) - 1]
    told = ring_why(case, "1").summary
    backed = {int(number) for row in rows for number in row["sentences"].split()}
    assert backed >= {at for at, sentence in enumerate(told, 1) if sentence.evidence or "bans" in sentence.facts}
    assert len([row for row in rows if row["kind"] == "device"]) == 21
    assert len(json.loads(paths[2].read_text())["members"]) == 7
    text = paths[0].read_text()
    assert all(f"{at}. " in text for at in range(1, len(told) + 1))
    assert packet.check(case, tmp_path / "out", made / "exports") == []


def test_a_spreadsheet_runs_nothing_and_a_second_packet_is_the_same(case: Path, tmp_path: Path) -> None:
    first = packet.write(case, "1", tmp_path / "one", limit=1)
    second = packet.write(case, "1", tmp_path / "two", limit=1)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    with first[1].open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert any("1+1" in cell for cell in cells)
    assert not [cell for cell in cells if cell.lstrip(" \"'|;\t").startswith("=") and not cell.startswith("'")]
    # Again into the same folder, and not over anything else.
    assert packet.write(case, "1", tmp_path / "one", limit=1) == first
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        packet.write(case, "1", tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_whatever_changed_is_found(case: Path, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    packet.write(case, "1", out)
    (out / "summary.md").write_text("nothing to see")
    (out / "rows.csv").unlink()
    assert [(one.what, one.how) for one in packet.check(case, out)] == [
        ("summary.md", "was changed since the packet was made"),
        ("rows.csv", "is missing"),
    ]
    packet.write(case, "1", out)
    exports = tmp_path / "exports"
    shutil.copytree(made / "exports", exports)
    (exports / "logins.csv").write_text("account_id\n")
    (exports / "payments.csv").unlink()
    assert sorted(Path(one.what).name for one in packet.check(case, out, exports)) == ["logins.csv", "payments.csv"]
    decide(case, "1", "confirm", by="ada")
    assert [one.what for one in packet.check(case, out)] == ["decisions.json"]
    packet.write(case, "1", out)
    assert json.loads((out / "decisions.json").read_text())["status"] == "confirmed"
    assert packet.check(case, out) == []
    # The evidence itself: one row of the case.
    with store.writing(case) as con:
        con.execute("DELETE FROM payments WHERE account_id = 'acct3'")
    assert [one.what for one in packet.check(case, out)] == ["rows.csv"]
    detect(case, nulls=0)
    found = packet.check(case, out)
    assert found[0].what == "run" and "run 1, the case has run 2" in found[0].how


def test_what_is_no_packet_is_told(case: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no whole packet"):
        packet.check(case, tmp_path / "nowhere")
    out = tmp_path / "out"
    packet.write(case, "1", out)
    with pytest.raises(NotFoundError, match="no folder"):
        packet.check(case, out, tmp_path / "nowhere")
    for broken in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000):
        (out / "manifest.json").write_bytes(broken)
        with pytest.raises(InputError, match="manifest"):
            packet.check(case, out)


def test_the_command(case: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")

    def run(*words: str) -> "tuple[int, str, BaseException | None]":
        done = CliRunner().invoke(cli, ["ring", *words, "--case", str(case)])
        return done.exit_code, done.output, done.exception

    code, text, _ = run("1", "--packet", out)
    assert code == 0 and "summary.md" in text
    assert run("--packet", out, "--check")[0] == 0
    assert run("1", "--packet", out, "--check")[0] == 0
    manifest = tmp_path / "out" / packet.MANIFEST
    kept = manifest.read_text()
    manifest.write_text(kept.replace(results.ring(case, "1").ring.ring_id, "R0\u202e"))
    other = run("1", "--packet", out, "--check")[2]
    assert isinstance(other, UsageError) and "\u202e" not in other.message
    manifest.write_text(kept)
    (tmp_path / "out" / "ring.json").write_text("{}")
    error = run("--packet", out, "--check")[2]
    assert isinstance(error, CheckFailedError)
    assert error.exit_code == ExitCode.CHECK_FAILED
    assert error.details == ("ring.json was changed since the packet was made",)
    assert run()[0] == 2
    assert isinstance(run("2", "--packet", out, "--check")[2], NotFoundError)
    assert run("1", "--check")[0] == 2
    assert run("1", "--exports", out)[0] == 2
    assert results.ring(case, "1").ring.accounts == 7
