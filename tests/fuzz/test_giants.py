"""A gigabyte in one line, packed or sparse: refused or set aside, in a few hundred megabytes of memory."""

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.reliability import figure
from tests.test_house import ROOT

pytestmark = pytest.mark.deep

SIZE = 1 << 30
_CHUNK = 1 << 24

_CHILD = """
import sys
from pathlib import Path
from linkage.errors import LinkageError, ExitCode
from linkage.ingest import ingest
try:
    report = ingest([Path(sys.argv[1])], Path(sys.argv[2]), preset=sys.argv[3] or None)
    said = f"rows {report.rows} rejected {report.rejected}"
except LinkageError as error:
    assert error.exit_code is ExitCode.INPUT, error
    said = error.message
# What getrusage says begins with the memory of the process that started this one.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) >> 10, said)
"""

_BEGINS = {
    "csv": b"account_id,at,user_agent\na,2026-02-01,",
    "jsonl": b'{"account_id": "a", "user_agent": "',
    "json": b'[{"account_id": "a", "user_agent": "',
    "log": b"",
}


def bomb(path: Path, begin: bytes) -> Path:
    """A gigabyte of one letter in one line."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(begin)
        for _ in range(SIZE // _CHUNK):
            file.write(b"x" * _CHUNK)
    assert path.stat().st_size < SIZE // 100
    return path


def taken(path: Path, tmp_path: Path, preset: str = "") -> tuple[int, str]:
    """Megabytes that a process of its own took to ingest the file, and what it said."""
    words = [sys.executable, "-c", _CHILD, str(path), str(tmp_path / "c.duckdb"), preset]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    megabytes, said = done.stdout.split(" ", 1)
    figure("fuzz", target=f"1 GB in {path.name}", inputs=1, failures=0, megabytes=int(megabytes))
    return int(megabytes), said.strip()


@pytest.mark.parametrize("form", _BEGINS)
def test_a_packed_gigabyte_in_one_line_takes_little_memory(form: str, tmp_path: Path) -> None:
    path = bomb(tmp_path / f"logins.{form}.gz", _BEGINS[form])
    megabytes, said = taken(path, tmp_path, "nginx" if form == "log" else "")
    assert "rows 1 rejected 1" in said or path.name in said
    assert megabytes < 800


def test_a_sparse_gigabyte_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "logins.csv"
    path.write_bytes(b"account_id,ip\na,8.8.8.8\n")
    with path.open("r+b") as file:
        file.truncate(SIZE)
    assert taken(path, tmp_path)[0] < 800


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "logins.csv"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed, packed.open("x", "w") as file:
        for _ in range(SIZE // _CHUNK):
            file.write(b"0" * _CHUNK)
    megabytes, said = taken(path, tmp_path)
    assert "logins.csv" in said and megabytes < 500
