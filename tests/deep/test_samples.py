"""Every preset's sample, from file to ring with no option, and with its columns in another case and order.

Too long for every day: `make test-deep`.
"""

import csv
import io
import random
import re
from pathlib import Path
from typing import Any

import pytest

from linkage import store
from linkage.detect import detect
from linkage.ingest import ingest
from tests.preset_samples import FOLDER, RING, SAMPLES
from tests.test_presets import as_csv, variants

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


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.endswith(".log")])
def test_columns_in_another_case_and_order_are_read_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_PEPPER", "the same hashes in all cases")
    text = (FOLDER / name).read_text()
    made = {what: text for what, text in variants(name, text, random.Random(name)).items() if what != "truncated"}
    if name.endswith(".csv"):
        header, _, rest = text.partition("\n")
        table = list(csv.reader(io.StringIO(text)))
        made = {"upper": f"{header.upper()}\n{rest}", "lower": f"{header.lower()}\n{rest}",
                "turned": as_csv([row[::-1] for row in table])}  # fmt: skip
    wanted = contents(FOLDER / name, tmp_path / "wanted.duckdb")
    for what, variant in made.items():
        path = tmp_path / f"{what}-{name}"
        path.write_text(variant)
        assert contents(path, tmp_path / f"{what}.duckdb") == wanted, what


def contents(path: Path, case: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What a file gives to each table, its place apart."""
    assert not ingest([path], case).rejected
    with store.reading(case) as con:
        return {
            table: con.execute(f"SELECT * EXCLUDE (file, line) FROM {table} ORDER BY ALL").fetchall()
            for table in ("account_rows", "payments", "logins", "exchanges", "identifiers", "links")
        }


def number(name: str, account: str) -> int:
    """The account that a sample calls so."""
    if name in ("cloudtrail.json", "bedrock.jsonl"):
        return int(account.split(":")[4]) - 111122223333
    if name == "auth0.jsonl":
        return int(account.removeprefix("auth0|"), 16)
    return int(re.sub(r".*?0*([0-9]+)$", r"\1", account))
