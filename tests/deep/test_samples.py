"""Every preset's sample, from file to ring with no option. Too long for every day: `make test-deep`."""

import re
from pathlib import Path

import pytest

from linkage import store
from linkage.detect import detect
from linkage.ingest import ingest
from tests.preset_samples import FOLDER, RING, SAMPLES

pytestmark = pytest.mark.deep


# Users alone, without anything that they did, are tied by too little.
@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "litellm_users.csv"])
def test_a_sample_goes_from_file_to_ring_with_no_option(name: str, tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    assert not ingest([FOLDER / name], case).rejected
    detect(case)
    with store.reading(case) as con:
        (ring,) = con.execute(
            "SELECT list(account_id) FROM members JOIN rings USING (ring_id) WHERE listed GROUP BY ring_id"
        ).fetchall()
    assert {number(name, account) for account in ring[0]} == RING


def number(name: str, account: str) -> int:
    """The account that a sample calls so."""
    if name in ("cloudtrail.json", "bedrock.jsonl"):
        return int(account.split(":")[4]) - 111122223333
    if name == "auth0.jsonl":
        return int(account.removeprefix("auth0|"), 16)
    return int(re.sub(r".*?0*([0-9]+)$", r"\1", account))
