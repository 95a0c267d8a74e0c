"""One case that faults are done to, and what it was before."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from linkage.secret import key_file, make_key_file
from tests.faults import world
from tests.faults.states import audit_faults, beside, journals_agree
from tests.faults.workers import finish

Files = dict[str, bytes]


@dataclass(frozen=True)
class Lab:
    """Where the kills happen: one case, put back to where it was before each.

    Attributes:
        folder: holds `case` and nothing else but what belongs to it.
        kept: holds what is copied into it.
    """

    folder: Path
    kept: Path

    @property
    def case(self) -> Path:
        return self.folder / "c.duckdb"

    def run(self, *words: object) -> str:
        """Run a command that must work on the case; returns what it says."""
        done = finish([*words, "--case", self.case], self.kept / "log")
        assert done.code == 0, (words, done)
        return done.out

    def empty(self) -> None:
        """Only the key is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.copy(self.kept / "key", key_file(self.case))

    def keep(self, name: str) -> None:
        """Keep the case and what lies beside it under a name."""
        shutil.copytree(self.folder, self.kept / name)

    def back(self, name: str) -> None:
        """Put it back to what was kept under that name."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.kept / name, self.folder)

    def export(self) -> Files:
        """The bytes of an export."""
        out = self.kept / "out"
        shutil.rmtree(out, ignore_errors=True)
        self.run("export", out)
        return {path.name: path.read_bytes() for path in sorted(out.iterdir())}

    def found(self) -> Files:
        """The bytes of an export after a search by score alone."""
        self.run("detect", "--no-publish", "--nulls", 0)
        return self.export()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """With the exports `in` and `later`, and cases: `ingested`, `detected`, and `grown`, ingested once more."""
    folder = tmp_path_factory.mktemp("faults")
    made = Lab(folder / "case", folder / "kept")
    made.kept.mkdir()
    make_key_file(made.kept / "key")
    world.write(made.kept / "in")
    world.write(made.kept / "later", later=True)
    made.empty()
    made.run("ingest", made.kept / "in")
    made.keep("ingested")
    made.run("detect", "--no-publish")
    made.run("review", 2, "watch", "--note", "before")
    made.keep("detected")
    made.run("ingest", made.kept / "later")
    made.keep("grown")
    return made


def clean(lab: Lab) -> None:
    """Nothing lies about, and the audit and the copies of what people decided are whole."""
    left = beside(lab.case)
    assert not left, left
    assert journals_agree(lab.case)
    found = audit_faults(lab.case)
    assert not found, found
