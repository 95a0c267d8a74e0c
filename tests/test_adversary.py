"""Who can write into exports as a user of the provider, without cost, frames nobody, and hides in no hub."""

import csv
import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from linkage import results, store
from linkage.detect import detect
from linkage.ingest import ingest
from linkage.sample import FOLDER
from tests.cases import copied

VICTIMS = 8


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(FOLDER / f"{name}.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def put(path: Path, found: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in found for key in row)))
        writer.writeheader()
        writer.writerows(found)


def rings(case: Path) -> dict[str, set[str]]:
    listed = results.listed(case, ())
    found: dict[str, set[str]] = {}
    for member in listed.members:
        found.setdefault(member.ring_id, set()).add(member.account_id)
    return found


@pytest.fixture(scope="module")
def truth() -> dict[str, str]:
    with (FOLDER / "truth.csv").open() as file:
        return {row["account_id"]: row["ring"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def victims(sample_case: Path, truth: dict[str, str]) -> list[str]:
    """Innocent accounts of one's own address and device, in no ring."""
    with store.reading(sample_case) as con:
        found = con.execute(
            "SELECT account_id FROM exchanges WHERE account_id NOT IN (SELECT account_id FROM members) "
            "GROUP BY account_id HAVING count(*) BETWEEN 5 AND 40 ORDER BY account_id"
        ).fetchall()
    return [str(row[0]) for row in found if not truth.get(str(row[0]))][:VICTIMS]


@pytest.fixture(scope="module")
def poisoned(
    sample_case: Path, truth: dict[str, str], victims: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample, to which its rings have added all that costs them nothing.

    To frame: the victims get the ring's e-mail address, organisation and user agent in their accounts and traffic, its
    referrals, and a few of its prompts, for a prompt can be put into anybody's application. To hide: each member of a
    ring logs in once through the most used address of the export, with its most used user agent.
    """
    folder = tmp_path_factory.mktemp("poisoned")
    case = copied(sample_case, folder)
    crew = sorted(account for account, ring in truth.items() if ring == "card-ring")
    theirs = [row for row in rows("exchanges") if row["account_id"] in crew]
    mails = {row["account_id"]: row["email"] for row in rows("accounts")}
    hub = Counter(row["ip"] for row in rows("logins")).most_common(1)[0][0]
    agent = Counter(row["user_agent"] for row in rows("logins")).most_common(1)[0][0]
    put(folder / "accounts.csv", [{"account_id": one, "email": mails[crew[0]], "org_id": "org_crew"}
                                  for one in (*victims, *crew)])  # fmt: skip
    put(folder / "links.csv", [{"account_id": by, "other_account_id": one, "kind": "referral",
                                "at": "2026-02-01T10:00:00Z"} for one in victims for by in crew])  # fmt: skip
    own = {row["account_id"]: row for row in rows("exchanges") if row["account_id"] in victims}
    put(folder / "exchanges.csv", [
        {**theirs[at], "account_id": one, "ip": own[one]["ip"], "device_id": own[one]["device_id"],
         "exchange_id": f"x_{one}_{at}"} for one in victims for at in range(5)
    ])  # fmt: skip
    put(folder / "logins.csv", [
        {"account_id": one, "ip": hub, "user_agent": agent, "at": "2026-02-02T10:00:00Z"}
        for one, ring in truth.items() if ring
    ])  # fmt: skip
    ingest([folder / f"{name}.csv" for name in ("accounts", "links", "exchanges", "logins")], case)
    detect(case, nulls=0)
    return case


def test_what_costs_nothing_frames_nobody(poisoned: Path, victims: list[str]) -> None:
    assert len(victims) == VICTIMS
    members = set().union(*rings(poisoned).values())
    assert members.isdisjoint(victims)
    with store.reading(poisoned) as con:
        # It was tried: they share with the crew.
        shared = con.execute(
            "SELECT count(DISTINCT kind) FROM sightings JOIN shared USING (kind, value) WHERE account_id = ?",
            [victims[0]],
        )
        assert shared.fetchall()[0][0] >= 3


def test_no_ring_hides_behind_an_address_that_everybody_has(
    poisoned: Path, sample_case: Path, truth: dict[str, str]
) -> None:
    after = rings(poisoned)
    for ring, members in rings(sample_case).items():
        guilty = {account for account in members if truth.get(account)}
        if len(guilty) >= 5:
            best = max(after.values(), key=lambda found: len(found & guilty))
            assert len(best & guilty) >= 0.95 * len(guilty), ring
            assert (
                sum(not truth.get(account) for account in best)
                <= sum(not truth.get(account) for account in members) + 1
            )


def test_the_threat_model_names_tests_that_there_are() -> None:
    root = Path(__file__).resolve().parent.parent
    named = re.findall(r"`(tests/[a-z0-9_]+\.py)`", (root / "SECURITY.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (root / name).is_file()] == []
