"""Fuzz targets guided by coverage: `python -m tests.fuzz.guided RUNS FOLDER TARGET…`, as `test_guided.py` does.

libFuzzer ends the process that it searches in, so each target gets a fork. What broke a target is in its folder below
FOLDER as `crash-…`, `timeout-…` or `oom-…`, and what libFuzzer said in `log`.
"""

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["linkage"]):
    from tests.fuzz.targets import SEEDS, tried


def search(target: str, runs: int, folder: Path) -> None:
    """Search from the target's seeds; the process ends here."""
    folder.mkdir()
    for at, seed in enumerate(SEEDS[target]):
        (folder / f"seed-{at}").write_text(seed)
    words = folder / "words.dict"
    # What each parser of Python gives up on, in a way of its own.
    words.write_text("".join(f'"{text}"\n' for text in ("[" * 1_000, '{\\"a\\":' * 300, "9" * 4_400)))
    # An input that takes so many seconds or a gigabyte is a finding.
    bounds = ["-timeout=20", "-rss_limit_mb=1500", "-max_len=8192"]
    options = [f"-runs={runs}", "-seed=1", f"-dict={words}", f"-artifact_prefix={folder}/", *bounds, str(folder)]
    atheris.Setup([target, *options], lambda data: tried(target, data))
    atheris.Fuzz()


def main(runs: int, folder: Path, targets: list[str]) -> None:
    """Search one target after another, and exit with the number of those that did not end well."""
    failed = 0
    for target in targets:
        child = os.fork()
        if not child:
            log = os.open(folder / f"{target}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            search(target, runs, folder / target)
        failed += os.waitpid(child, 0)[1] != 0
    sys.exit(failed)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
