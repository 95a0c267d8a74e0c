"""Who is linked by what they ask, and who is not: one world of raw prompts, made, ingested and detected."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from benchmarks.prompt_templates import RELATIONS, Template, Writing, fill, make_template, make_values, related
from benchmarks.prompt_text import TOPICS
from benchmarks.prompt_worlds import ordinary
from linkage import store
from linkage.detect import detect
from linkage.evidence import pair_prior
from linkage.evidence.weights import POPULATION_FLOOR
from linkage.ingest import ingest
from linkage.model import HEAVY_USES, LISTED_SCORE, WORKED_PROMPT
from linkage.significance import LISTED_Q

ORDINARY = 340
"""Accounts that ask what people ask, often enough to be looked at."""

AS_IT_IS = Writing()
WRITINGS = {
    "as it is": AS_IT_IS,
    "reworded once": Writing("per-account", 0.2),
    "reworded each time": Writing("per-prompt", 0.2),
    "with another preamble": Writing("per-prompt", 0.1, "per-account"),
}


@dataclass
class Sent:
    """Exchanges in the making."""

    rng: np.random.Generator
    accounts: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    def send(self, account: str, prompts: list[str]) -> None:
        self.accounts += [account] * len(prompts)
        self.prompts += prompts

    def template(self, **how: Any) -> Template:
        return make_template(self.rng, int(self.rng.integers(TOPICS)), **{"share": 0.65, **how})

    def work(self, account: str, template: Template, count: int, writing: Writing = AS_IT_IS) -> None:
        values = make_values(self.rng, template, count)
        self.send(account, fill(self.rng, template, values, np.arange(count), writing))

    def chat(self, account: str, count: int) -> None:
        topics = [int(topic) for topic in self.rng.integers(0, TOPICS, 2)]
        self.send(account, ordinary(self.rng, topics, count))

    def export(self, path: Path) -> Path:
        """Shuffled, over four weeks."""
        count = len(self.accounts)
        at = np.datetime64("2026-02-01", "s") + self.rng.integers(0, 28 * 86_400, count).astype("timedelta64[s]")
        columns = {"account_id": self.accounts, "at": at, "prompt": self.prompts}
        table = pa.table({**columns, "exchange_id": [f"x{row}" for row in range(count)]})
        parquet.write_table(table.take(pa.array(self.rng.permutation(count))), path)
        return path


def world(path: Path, seed: int = 5) -> Path:
    sent = Sent(np.random.default_rng(seed))
    for at in range(ORDINARY):
        sent.chat(f"ordinary{at:03}", 24)
    for name, writing in WRITINGS.items():
        template = sent.template(preamble_share=0.2)
        for side in "ab":
            sent.work(f"pair {name} {side}", template, 60, writing)
    for relation in RELATIONS:
        for side, template in zip("ab", related(sent.rng, relation), strict=True):
            sent.work(f"related by {relation} {side}", template, 60, Writing("per-prompt", 0.2))
    popular, pool, uneven, hydra = (sent.template() for _ in range(4))
    for at in range(300):
        sent.work(f"ordinary{at:03}", popular, 5)
    for at in range(40):
        sent.work(f"pool{at:02}", pool, 200)
    for at in range(2):
        sent.work(f"heavy{at}", uneven, 60)
    for at in range(30):
        sent.work(f"ordinary{at:03}", uneven, 3)
    for at in range(3):
        sent.work(f"hydra{at}", hydra, 60, Writing("per-prompt", 0.2))
        sent.chat(f"hydra{at}", 240)
    for at in range(5):
        sent.chat(f"short{at}", 24)
        sent.send(f"short{at}", ["continue", "Yes, please!"] * 100)
    return sent.export(path)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("world")
    made = folder / "case.duckdb"
    # Which words a sketch keeps depends on the key.
    (folder / "case.duckdb.key").write_text("same key")
    ingest([world(folder / "exchanges.parquet")], made)
    detect(made)
    yield made


def rows(case: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql, list(parameters)).fetchall()


def worked(case: Path) -> dict[str, set[str]]:
    """Accounts of each template that says who works with it."""
    found: dict[str, set[str]] = {}
    for value, account in rows(
        case,
        "SELECT value, account_id FROM shared JOIN sightings USING (kind, value) WHERE kind = 'prompt' AND trust = ?",
        WORKED_PROMPT,
    ):
        found.setdefault(value, set()).add(account)
    return found


def rings(case: Path) -> list[set[str]]:
    found = rows(case, "SELECT list(account_id) FROM members GROUP BY ring_id")
    return [set(members) for (members,) in found]


@pytest.mark.parametrize("name", WRITINGS)
def test_two_accounts_that_work_with_one_template_share_it(case: Path, name: str) -> None:
    pair = {f"pair {name} {side}" for side in "ab"}
    (value,) = [value for value, accounts in worked(case).items() if accounts & pair]
    assert worked(case)[value] == pair
    ((bits,),) = rows(case, "SELECT bits FROM shared WHERE kind = 'prompt' AND value = ?", value)
    assert bits > pair_prior(POPULATION_FLOOR)
    # All or nearly all that they sent follows it.
    ((followed,),) = rows(
        case,
        "SELECT count(*) FROM exchange_templates WHERE starts_with(account_id, ?) AND format('{:016x}', template) = ?",
        f"pair {name} ",
        value.removeprefix("template:"),
    )
    assert followed >= 0.9 * 120


@pytest.mark.parametrize("relation", RELATIONS)
def test_two_accounts_with_different_tasks_share_no_work(case: Path, relation: str) -> None:
    pair = {f"related by {relation} {side}" for side in "ab"}
    assert not [accounts for accounts in worked(case).values() if accounts & pair]


def test_a_shared_preamble_is_told_as_an_opening(case: Path) -> None:
    found = rows(
        case,
        "SELECT DISTINCT a.value FROM sightings a JOIN sightings b USING (kind, value) WHERE a.account_id = $1 "
        "AND b.account_id = $2",
        "related by long preamble a",
        "related by long preamble b",
    )
    assert {value.partition(":")[0] for (value,) in found} <= {"opening", "template"}
    ((strongest,),) = rows(
        case,
        "SELECT coalesce(max(bits), 0) FROM shared WHERE kind = 'prompt' AND value IN (SELECT unnest($1::VARCHAR[]))",
        [value for (value,) in found],
    )
    assert strongest < pair_prior(POPULATION_FLOOR)


def test_what_everybody_sends_now_and_then_is_worth_nothing(case: Path) -> None:
    (popular,) = rows(case, "SELECT value, accounts, bits, trust FROM shared WHERE accounts = 300 AND "
                      "starts_with(value, 'template:')")  # fmt: skip
    value, _, bits, trust = popular
    assert bits < pair_prior(POPULATION_FLOOR) / 2
    assert trust != WORKED_PROMPT
    assert (value, 300) in rows(case, "SELECT value, accounts FROM hubs WHERE kind = 'prompt'")


def test_forty_accounts_that_live_on_one_template_are_one_ring(case: Path) -> None:
    pool = {f"pool{at:02}" for at in range(40)}
    assert [ring for ring in rings(case) if ring & pool] == [pool]
    ((value, bits),) = [
        (value, bits)
        for value, bits in rows(case, "SELECT value, bits FROM shared WHERE kind = 'prompt' AND accounts = 40")
        if value in worked(case)
    ]
    assert worked(case)[value] == pool
    ((popular,),) = rows(case, "SELECT max(bits) FROM shared WHERE accounts = 300")
    assert bits > pair_prior(POPULATION_FLOOR) > popular
    # One value alone is never beyond chance: null models keep how many hold it.
    ((score, q, accounts),) = rows(
        case, "SELECT score, q_value, accounts FROM rings JOIN members USING (ring_id) WHERE account_id = 'pool07'"
    )
    assert score >= LISTED_SCORE
    assert q > LISTED_Q
    assert accounts == 40


def test_only_heavy_users_of_a_template_are_seen_with_it(case: Path) -> None:
    (accounts,) = [accounts for accounts in worked(case).values() if "heavy0" in accounts]
    assert accounts == {"heavy0", "heavy1"}
    ((used,),) = rows(case, "SELECT min(count) FROM sightings JOIN shared USING (kind, value) WHERE trust = ?",
                      WORKED_PROMPT)  # fmt: skip
    assert used >= HEAVY_USES
    # The others sent near-duplicates of it, which is weighed apart.
    ((light,),) = rows(
        case,
        "WITH sent AS (SELECT account_id, body FROM exchanges JOIN templates USING (prompt)) "
        "SELECT count(DISTINCT account_id) FROM sent WHERE starts_with(account_id, 'ordinary') "
        "AND body IN (SELECT body FROM sent WHERE account_id = 'heavy0')",
    )
    assert light == 30


def test_accounts_that_hide_their_work_in_ordinary_traffic_are_a_ring(case: Path) -> None:
    hydra = {f"hydra{at}" for at in range(3)}
    assert [ring for ring in rings(case) if ring & hydra] == [hydra]
    # What they ask beside their work is not taken for it.
    (value,) = [value for value, accounts in worked(case).items() if accounts & hydra]
    counts = rows(
        case,
        "SELECT account_id, count(*) FROM exchange_templates WHERE format('{:016x}', template) = ? GROUP BY 1",
        value.removeprefix("template:"),
    )
    assert {account for account, _ in counts} == hydra
    assert all(54 <= count <= 72 for _, count in counts)


def test_short_prompts_link_nobody(case: Path) -> None:
    short = {f"short{at}" for at in range(5)}
    assert not [ring for ring in rings(case) if ring & short]
    assert not [accounts for accounts in worked(case).values() if accounts & short]
    # They are told apart from work, but not lost.
    found = rows(
        case, "SELECT trust, accounts, bits FROM shared WHERE kind = 'prompt' AND starts_with(value, 'exact:')"
    )
    assert [(trust, accounts) for trust, accounts, _ in found] == [(None, 5), (None, 5)]
    assert all(bits < pair_prior(POPULATION_FLOOR) for _, _, bits in found)


def test_nobody_else_is_in_a_ring_or_works_with_anybody(case: Path) -> None:
    assert not [accounts for accounts in worked(case).values() if any(a.startswith("ordinary") for a in accounts)]
    assert len(rings(case)) == 2


def test_a_second_run_finds_the_same(case: Path, tmp_path: Path) -> None:
    copy = tmp_path / "case.duckdb"
    copy.write_bytes(case.read_bytes())
    copy.with_name(f"{copy.name}.key").write_bytes(case.with_name(f"{case.name}.key").read_bytes())
    tables = ("shared", "sightings", "followed", "members", "evidence", "hubs")
    before = [rows(copy, f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    detect(copy)
    assert [rows(copy, f"SELECT * FROM {table} ORDER BY ALL") for table in tables] == before
