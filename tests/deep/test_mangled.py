"""Eight hundred mangled files. Too long for every day: `make test-deep`."""

from pathlib import Path

import pytest

from tests.mangled import check, corpus

pytestmark = pytest.mark.deep


@pytest.mark.parametrize("seed", range(4))
def test_two_hundred_mangled_files_are_read_right_or_refused(tmp_path: Path, seed: int) -> None:
    check(corpus(seed=seed, size=200), tmp_path)
