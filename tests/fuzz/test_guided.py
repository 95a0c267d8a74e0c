"""Readers of what others wrote, guided by coverage (atheris, libFuzzer). `make test-deep`, longer by `make torture`."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.targets import QUICK, SEEDS
from tests.reliability import figure
from tests.test_house import ROOT

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this Python or machine"),
]

RUNS = 5_000 * int(os.environ.get("LINKAGE_TORTURE", "1"))


def test_nothing_breaks_a_target(tmp_path: Path) -> None:
    assert SEEDS.keys() == QUICK.keys()
    words = [sys.executable, "-m", "tests.fuzz.guided", str(RUNS), str(tmp_path), *QUICK]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    faults = {}
    for target in QUICK:
        log = (tmp_path / f"{target}.log").read_text(errors="replace")
        broken = [path for path in (tmp_path / target).iterdir() if re.match("crash-|timeout-|oom-|leak-", path.name)]
        inputs = re.search(r"Done (\d+) runs", log)
        figure("fuzz", target=target, inputs=int(inputs[1]) if inputs else 0, failures=len(broken))
        if broken or not inputs or int(inputs[1]) < RUNS:
            faults[target] = ([path.read_bytes()[:200] for path in broken], log[-3_000:])
    assert not faults, faults
    assert done.returncode == 0, done.stderr[-3_000:]
