"""Mangled files are read right, or refused in one sentence; none is misread without a word."""

from pathlib import Path

from tests.mangled import WAYS, check, corpus


def test_each_way_of_mangling_is_read_right_or_refused(tmp_path: Path) -> None:
    check(corpus(seed=11, size=len(WAYS)), tmp_path)
