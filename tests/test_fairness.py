"""What says nothing of a person's deeds enters no score: country, plan and free text."""

import csv
import gzip
import random
import shutil
from pathlib import Path

from linkage import results, store
from linkage.detect import detect
from linkage.ingest import ingest
from linkage.sample import FOLDER, copy_to
from linkage.secret import key_file


def said(case: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Every ring, listed or not, in order, with all that weighs; and its members with theirs."""
    rings: list[tuple[object, ...]] = [
        (ring.rank, ring.ring_id, ring.score, ring.q_value, ring.status, ring.listed, ring.accounts)
        for ring in results.rings(case, unlisted=True)
    ]
    with store.reading(case) as con:
        members = con.execute("SELECT ring_id, account_id, tier, confidence FROM members ORDER BY ALL").fetchall()
        members += con.execute("SELECT ring_id, kind, value, accounts, bits FROM evidence ORDER BY ALL").fetchall()
    return rings, members


def test_country_plan_and_free_text_change_no_ring_score_or_order(sample_case: Path, tmp_path: Path) -> None:
    folder, case = copy_to(tmp_path / "in"), tmp_path / "c.duckdb"
    # Ids of rings are hashes of accounts, and values under the key are compared: it must be the same.
    shutil.copy2(key_file(sample_case), key_file(case))
    with gzip.open(FOLDER / "accounts.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    dice = random.Random(10)
    before = [(row["country"], row["plan"]) for row in rows]
    for name in ("country", "plan"):
        values = [row[name] for row in rows]
        dice.shuffle(values)
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    for row in rows:
        row["note"] = dice.choice(("fraud!", "trusted customer", "", "called from abroad"))
    moved = sum((row["country"], row["plan"]) != was for row, was in zip(rows, before, strict=True))
    assert moved > len(rows) // 2
    with gzip.open(folder / "accounts.csv.gz", "wt", newline="", compresslevel=1) as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    ingest([folder], case)
    detect(case)
    wanted, found = said(sample_case), said(case)
    assert wanted[0] and wanted[1]
    assert found == wanted
