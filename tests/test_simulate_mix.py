"""The large worlds: repeatable, complete, true to what their page says, and made in bounded memory."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from linkage.commands import cli
from linkage.errors import UsageError
from linkage.ingest import ingest
from linkage.model import TABLES
from linkage.simulate import WORLDS, prompts, simulate
from linkage.simulate.campaigns import SIZES, campaign
from linkage.simulate.mix import INNOCENTS, RINGS
from linkage.simulate.parts import LIMIT, Parts
from linkage.simulate.world import WORLDS_VERSION

EVASION = 0.4


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("plain"), world="mix", accounts=3_000, format="parquet").folder


@pytest.fixture(scope="module")
def evading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evading")
    return simulate(folder, world="mix", accounts=3_000, format="parquet", evasion=EVASION).folder


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def load(con: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
    """The tables of a world as `name`.TABLE, truth and structures too."""
    con.execute(f"CREATE SCHEMA {name}")
    for path in folder.iterdir():
        if path.suffix in (".parquet", ".csv"):
            read = (
                f"'{path}'" if path.suffix == ".parquet" else f"read_csv('{path}', header = true, all_varchar = true)"
            )
            con.execute(f"CREATE TABLE {name}.{path.stem} AS SELECT * FROM {read}")


def number(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    (row,) = con.execute(query).fetchall()
    return row[0] if len(row) == 1 else row


@pytest.mark.parametrize("world", ["mix", "noise"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_same_arguments_give_the_same_bytes_whatever_the_threads(
    world: Any, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for threads in ("1", "2"):
        monkeypatch.setenv("LINKAGE_THREADS", threads)
        made.append(simulate(tmp_path / threads, world=world, accounts=3_000, seed=9, format=form))
    assert [path.name for path in made[0].files] == [path.name for path in made[1].files]
    for one, two in zip(made[0].files, made[1].files, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    other = simulate(tmp_path / "other", world=world, accounts=3_000, seed=10, format=form)
    assert other.files[0].read_bytes() != made[0].files[0].read_bytes()


def test_nobody_acts_before_sign_up_or_after_a_ban(plain: Path, evading: Path, con: duckdb.DuckDBPyConnection) -> None:
    for name, folder in (("a", plain), ("b", evading)):
        load(con, name, folder)
        for table, at in (("exchanges", "at"), ("logins", "at"), ("payments", "added_at"), ("identifiers", "at")):
            outside = f'x."{at}" < created_at OR x."{at}" > banned_at'
            joined = f"{name}.{table} x JOIN {name}.accounts USING (account_id)"
            rows, wrong = number(con, f"SELECT count(*), count(*) FILTER ({outside}) FROM {joined}")
            assert rows > 0 and wrong == 0, (table, wrong)
        assert number(con, f"SELECT count(*) FROM {name}.accounts WHERE banned_at <= created_at") == 0
        assert (
            number(con, f"SELECT count(*) FROM {name}.accounts WHERE (status = 'banned') <> (banned_at IS NOT NULL)")
            == 0
        )


def test_tables_are_in_order_and_ids_say_nothing(plain: Path, con: duckdb.DuckDBPyConnection) -> None:
    load(con, "a", plain)
    exchanges = con.execute('SELECT "at", exchange_id FROM a.exchanges').fetchall()
    accounts = [row[0] for row in con.execute("SELECT account_id FROM a.accounts").fetchall()]
    assert exchanges == sorted(exchanges) and len({row[1] for row in exchanges}) == len(exchanges)
    assert accounts == sorted(accounts) and len(set(accounts)) == 3_000
    ring = [row[0] for row in con.execute("SELECT ring IS NOT NULL FROM a.truth ORDER BY account_id").fetchall()]
    # Members lie anywhere: their mean place is the middle one, to five standard errors.
    at = np.nonzero(ring)[0]
    assert abs(at.mean() - 1_500) < 5 * 3_000 / np.sqrt(12 * len(at))


def test_every_structure_and_tactic_is_there_and_truth_agrees(plain: Path, con: duckdb.DuckDBPyConnection) -> None:
    load(con, "a", plain)
    found = dict(con.execute("SELECT structure, count(DISTINCT instance) FROM a.structures GROUP BY 1").fetchall())
    planted = {one.name for one in (*INNOCENTS, *RINGS)}
    assert planted <= set(found) <= planted | {"stolen-card-victim", "taken-over-account"}
    assert found["stolen-card-victim"] and found["taken-over-account"]
    # An account is in a ring in the truth if and only if it stands in an instance that is one, of that name.
    fraud = con.execute("SELECT account_id, instance FROM a.structures WHERE ring = 'true' ORDER BY 1").fetchall()
    assert fraud == con.execute("SELECT account_id, ring FROM a.truth WHERE ring IS NOT NULL ORDER BY 1").fetchall()
    assert number(con, "SELECT count(*) FROM a.truth") == number(con, "SELECT count(*) FROM a.accounts") == 3_000
    assert 0.06 <= len(fraud) / 3_000 <= 0.11
    about = json.loads((plain / "world.json").read_text())
    assert about["worlds_version"] == WORLDS_VERSION and about["evasion"] == 0.0
    counts = Counter(row[0] for row in con.execute("SELECT structure FROM a.structures").fetchall())
    assert {name: tally["accounts"] for name, tally in about["structures"].items()} == counts
    assert {name: tally["instances"] for name, tally in about["structures"].items()} == found
    assert about["rows"]["exchanges"] == number(con, "SELECT count(*) FROM a.exchanges")


def test_evasion_is_what_the_page_says_and_touches_rings_only(
    plain: Path, evading: Path, con: duckdb.DuckDBPyConnection
) -> None:
    load(con, "a", plain)
    load(con, "b", evading)
    both = "a.exchanges x JOIN b.exchanges y USING (exchange_id, account_id) JOIN a.truth t USING (account_id)"
    # The outer join would show any exchange or innocent row that is not the same.
    assert number(con, f"SELECT count(*) FROM {both}") == number(con, "SELECT count(*) FROM b.exchanges")
    assert number(con, f"SELECT count(*) FROM {both} WHERE ring IS NULL AND x IS DISTINCT FROM y") == 0
    for column in ("ip", "device_id"):
        moved = f"x.{column} IS DISTINCT FROM y.{column}"
        shares = con.execute(
            f"SELECT avg(({moved})::INT), count(*) FROM {both} WHERE ring IS NOT NULL GROUP BY ring"
        ).fetchall()
        for share, count in shares:
            assert abs(share - EVASION) <= 4 / count**0.5, column
        assert abs(sum(s * c for s, c in shares) / sum(c for _, c in shares) - EVASION) < 0.005
        # Nobody else is ever seen there.
        holders = con.execute(
            f"SELECT count(DISTINCT account_id) FROM b.exchanges WHERE {column} IN "
            f"(SELECT y.{column} FROM {both} WHERE ring IS NOT NULL AND {moved}) GROUP BY {column}"
        ).fetchall()
        assert set(holders) == {(1,)}
    said = con.execute(f'SELECT x.prompt, y.prompt, epoch(y."at") - epoch(x."at") FROM {both} WHERE ring IS NOT NULL')
    words = changed = 0
    for before, after, moved_by in said.fetchall():
        one, two = before.split(), after.split()
        assert len(one) == len(two)
        assert abs(moved_by) <= EVASION * 3_600
        words, changed = words + len(one), changed + sum(a != b for a, b in zip(one, two, strict=True))
    assert abs(changed / words - EVASION / 2) < 0.01
    known = "payment_id {} IN (SELECT payment_id FROM a.payments)"
    cards = f"FROM {{}}.payments JOIN a.truth USING (account_id) WHERE ring IS NOT NULL AND {known}"
    extra = number(con, "SELECT count(*) " + cards.format("b", "NOT"))
    kept, before = (number(con, "SELECT count(*) " + cards.format(name, "")) for name in "ba")
    assert kept == before
    # For each shared row there are e / (1 - e) own ones; not all rows of rings are shared ones.
    shared = extra * (1 - EVASION) / EVASION
    assert 0.25 * before < shared < before


def test_evasion_at_its_most_leaves_nothing_shared(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    folder = simulate(tmp_path / "w", world="mix", accounts=3_000, format="parquet", evasion=1.0, prompts="none").folder
    load(con, "a", folder)
    members = "JOIN a.truth USING (account_id) WHERE ring IS NOT NULL"
    for table, column in (("exchanges", "ip"), ("exchanges", "device_id"), ("payments", "payment_id")):
        found = f"SELECT {column} FROM a.{table} {members} GROUP BY 1 HAVING count(DISTINCT account_id) > 1"
        assert number(con, f"SELECT count(*) FROM ({found})") == 0, column


def test_fingerprints_stand_for_templates_and_evasion_scatters_them(
    tmp_path: Path, plain: Path, con: duckdb.DuckDBPyConnection
) -> None:
    for name, evasion in (("f", 0.0), ("g", 0.8)):
        load(con, name, simulate(
            tmp_path / name, world="mix", accounts=3_000, prompts="fingerprint", evasion=evasion, format="parquet"
        ).folder)  # fmt: skip
    load(con, "a", plain)
    assert "prompt" not in [row[0] for row in con.execute("DESCRIBE f.exchanges").fetchall()]
    # Free speech: one fingerprint for one text.
    pairs = "a.exchanges x JOIN f.exchanges y USING (exchange_id)"
    unlike = f"SELECT prompt FROM {pairs} GROUP BY prompt HAVING count(DISTINCT prompt_fingerprint) > 1"
    assert number(con, f"SELECT count(*) FROM ({unlike})") == 0
    ring = "JOIN a.truth USING (account_id) WHERE ring IS NOT NULL"
    repeated = "SELECT 1 - count(DISTINCT prompt_fingerprint) / count(*) FROM {}.exchanges " + ring
    assert number(con, repeated.format("f")) > 0.3 > 0.1 > number(con, repeated.format("g"))


def test_distillation_moves_to_the_new_model_within_a_day(plain: Path, con: duckdb.DuckDBPyConnection) -> None:
    load(con, "a", plain)
    released = number(con, "SELECT epoch(min(\"at\")) FROM a.exchanges WHERE model = 'large-4.1'")
    shares = dict(con.execute(
        "SELECT ring IS NOT NULL, avg((model = 'large-4.1')::INT) FROM a.exchanges JOIN a.truth USING (account_id) "
        'WHERE epoch("at") BETWEEN ? AND ? GROUP BY 1', [released + 86_400, released + 4 * 86_400],
    ).fetchall())  # fmt: skip
    assert shares[True] > 0.35 > shares[False]


@pytest.mark.parametrize(("world", "accounts"), [("mix", 3_000), ("campaigns", 10_000), ("noise", 1_500)])
def test_all_of_it_is_taken_in(world: Any, accounts: int, tmp_path: Path) -> None:
    made = simulate(tmp_path / "w", world=world, accounts=accounts, format="parquet")
    report = ingest([made.folder], tmp_path / "c.duckdb")
    assert report.rejected == 0 and report.rows == sum(made.rows.values())
    assert made.rows["accounts"] == accounts
    assert set(made.rows) == set(TABLES) - {"aliases", "links" if world == "noise" else ""}


def test_campaigns_have_the_published_proportions(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    made = simulate(tmp_path / "w", world="campaigns", accounts=10_000, format="parquet")
    load(con, "a", made.folder)
    sizes = con.execute("SELECT count(*) FROM a.truth WHERE ring IS NOT NULL GROUP BY ring ORDER BY 1 DESC").fetchall()
    assert sizes == [(size // 100,) for size in SIZES] and made.rings == 3
    rows = number(con, "SELECT count(*) FROM a.exchanges JOIN a.truth USING (account_id) WHERE ring IS NOT NULL")
    assert 150_000 < rows < 185_000
    assert "prompt_fingerprint" in [row[0] for row in con.execute("DESCRIBE a.exchanges").fetchall()]


def test_noise_has_hubs_and_no_truth(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    made = simulate(tmp_path / "w", world="noise", format="parquet")
    load(con, "a", made.folder)
    assert (made.rings, made.look_alikes) == (0, 0) and not (made.folder / "structures.csv").exists()
    assert number(con, "SELECT count(ring), count(*) FROM a.truth") == (0, 5_000)
    for column in ("ip", "device_id", "prompt"):
        holders = f"SELECT count(DISTINCT account_id) n FROM a.exchanges GROUP BY {column}"
        most, pairs, values = number(con, f"SELECT max(n), count(*) FILTER (n = 2), count(*) FROM ({holders})")
        assert most > 200 and values > pairs > 1_000, column


def test_chunks_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    largest: Counter[str] = Counter()
    add = Parts.add

    def watched(parts: Parts, table: str, columns: Mapping[str, Any]) -> None:
        largest[table] = max(largest[table], *(len(values) for values in columns.values()))
        add(parts, table, columns)

    monkeypatch.setattr(Parts, "add", watched)
    made = simulate(tmp_path / "w", world="campaigns", accounts=10_000, format="parquet")
    assert made.rows["exchanges"] > 2 * LIMIT
    assert max(largest.values()) <= LIMIT


def test_ordinary_prompts_do_not_collide() -> None:
    assert len(set(prompts.vocabulary()[: prompts.VOCABULARY].to_pylist())) == prompts.VOCABULARY
    templates = prompts.Templates(np.random.default_rng(1))
    rows = 20_000
    seed, free = np.arange(rows, dtype=np.uint64), np.zeros(rows, dtype=np.int64)
    texts = prompts.text(*templates.speak(free, seed, seed % np.uint64(300)), rows).to_pylist()
    assert len(set(texts)) == rows
    number_of = templates.new(1)
    one, row = templates.speak(np.repeat(number_of, rows), seed, seed)
    assert np.bincount(row).min() >= 8
    fixed = [word for word, count in Counter(one.tolist()).items() if count >= rows]
    assert len(fixed) >= 8


def test_every_structure_is_explained_and_stands_in_the_docs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "simulate.md").read_text()
    for structure in (*INNOCENTS, *RINGS):
        said = structure.build.__doc__ or ""
        assert said.startswith(("Shares ", "As a company")) and " Told by " in said, structure.name
        assert f"| `{structure.name}` |" in page, structure.name
    assert campaign.__doc__ and f"`{campaign.__name__}`" in page
    for world, kind in WORLDS.items():
        assert f"| `{world}` | {kind.accounts:,} accounts" in page


def test_the_command_says_what_it_made_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    def run(*options: str) -> Any:
        return CliRunner().invoke(cli, ["simulate", str(tmp_path / "w"), *options])

    done = run("--world", "mix", "--accounts", "3000", "--evasion", "0.2", "--prompts", "none", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["rows"]["accounts"] == 3_000
    assert run("--world", "noise", "--accounts", "1000", "--format", "parquet").exit_code == 0
    assert not list((tmp_path / "w").glob("*.csv.gz")) and not list((tmp_path / "w").glob("structures*"))
    for options in (["--world", "nowhere"], ["--evasion", "1.5"], ["--world", "mix", "--accounts", "2000"]):
        done = CliRunner().invoke(cli, ["simulate", str(tmp_path / "w"), *options])
        assert done.exit_code == 2 or isinstance(done.exception, UsageError)
    for wrong in ({"evasion": 0.5}, {"prompts": "none"}, {"world": "noise", "evasion": 0.1}, {"world": "moon"},
                  {"world": "mix", "evasion": 2.0}, {"world": "mix", "prompts": "sung"}):  # fmt: skip
        with pytest.raises(UsageError):
            simulate(tmp_path / "new", **wrong)


def test_the_command_and_the_package_offer_the_same_worlds() -> None:
    from linkage.commands.simulate import WORLDS as OFFERED

    assert tuple(WORLDS) == OFFERED
