"""Exports of other systems: recognised by their columns, read into the contract's tables, refused where unsure."""

import csv
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkage import store
from linkage.detect import detect
from linkage.errors import ExitCode, InputError, UsageError
from linkage.ingest import explain, ingest, presets, rejects
from linkage.ingest.find import Told, find
from linkage.ingest.mapping import overrides
from linkage.ingest.messages import prompt_of
from tests.cases import Output
from tests.preset_samples import FOLDER, RING, SAMPLES, preset_of


def rows(case: Path, sql: str) -> list[tuple[Any, ...]]:
    with store.reading(case) as con:
        return con.execute(sql).fetchall()


def found_or_none(path: Path) -> bool:
    """Whether a file that is named by itself goes in."""
    try:
        return bool(find([path], Told()).sources)
    except InputError:
        return False


def recognised(path: Path) -> set[str]:
    return {source.preset.name for source in find([path], Told()).sources if source.preset}


def refusal(path: Path, **told: Any) -> str:
    """Why a file is refused."""
    try:
        found = find([path], Told(**told))
    except InputError as error:
        return error.message + error.hint
    (refused,) = found.refused
    assert not found.sources
    return refused.error.message + refused.error.hint


def test_the_samples_are_what_their_generator_writes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SAMPLES)
    assert {preset_of(name) for name in SAMPLES} == set(presets())
    for name, write in SAMPLES.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == write(), f"{name}: run python -m tests.preset_samples"


def test_a_sign_belongs_to_one_preset() -> None:
    known = {name: {*p.signs, *p.columns, *(f"{p.under}.{s}" for s in p.signs)} for name, p in presets().items()}
    for name, preset in presets().items():
        for other, columns in known.items():
            assert other == name or not columns & set(preset.signs), (name, other)


@pytest.mark.parametrize("name", ["stripe-unified.csv", "otel.jsonl"])
def test_a_sample_goes_from_file_to_ring_with_no_option(name: str, tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    report = ingest([FOLDER / name], case)
    assert not report.rejected
    detect(case)
    (members,) = rows(
        case, "SELECT list(account_id) FROM members JOIN rings USING (ring_id) WHERE listed GROUP BY ring_id"
    )
    assert {int(re.sub(r".*?0*([0-9]+)$", r"\1", account)) for account in members[0]} == RING


WANTED = {
    "stripe": ("payments", "added_at IS NOT NULL AND payment_id LIKE 'Xk3%' AND method = 'card'"),
    "litellm": ("exchanges", "ip LIKE '198.%' AND prompt IS NOT NULL AND input_tokens = 120 AND model = 'small'"),
    "litellm_users": ("account_rows", "email_domain LIKE 'ring-%' AND created_at IS NOT NULL AND org_id IS NOT NULL"),
    "langfuse": ("exchanges", "prompt IS NOT NULL AND output_tokens = 180 AND model = 'gpt-5-mini'"),
    "helicone": ("exchanges", "prompt IS NOT NULL AND output_tokens = 180"),
    "openrouter": ("identifiers", "kind = 'app' AND value LIKE '900%' AND \"at\" IS NOT NULL"),
    "otel": (
        "exchanges",
        "ip LIKE '198.%' AND user_agent LIKE 'batch%' AND prompt IS NOT NULL AND output_tokens = 180",
    ),
    "auth0": ("logins", "ip LIKE '198.%' AND user_agent LIKE 'batch%' AND \"at\" IS NOT NULL"),
    "okta": ("logins", "ip LIKE '198.%' AND user_agent LIKE 'batch%' AND device_id IS NOT NULL"),
    "cloudtrail": ("exchanges", "ip LIKE '198.%' AND model = 'small.model-v1:0'"),
    "bedrock": ("exchanges", "prompt IS NOT NULL AND input_tokens = 120"),
    "nginx": ("logins", "ip LIKE '198.%' AND user_agent LIKE 'batch%' AND \"at\" < '2026-03-02'"),
}
"""By preset a table, and what holds for rows of the ring's six accounts, or of all where nothing is compared."""


def test_every_sample_is_recognised_and_read_whole(tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    report = ingest([FOLDER], case)
    assert not report.refused
    assert not report.rejected
    assert not report.passed_over
    titles = {file.path.name: file.preset for file in report.files}
    assert titles == {name: presets()[preset_of(name)].title for name in SAMPLES}
    for name, (table, holds) in WANTED.items():
        title = presets()[name].title
        there = f"FROM {table} JOIN files f USING (file) WHERE preset = '{title}' AND {holds}"
        accounts = len(RING) if "LIKE" in holds or name == "stripe" else 46
        assert rows(case, f"SELECT count(DISTINCT account_id) {there}") == [(accounts,)], name
    # What an export says of an account besides: masked, as everywhere.
    assert rows(case, "SELECT count(*) FROM accounts WHERE email_label = 'u***@ring-mail.example'") == [(24,)]
    # A call by a service of the provider's has no address, and is a sighting all the same.
    assert rows(case, "SELECT count(*) > 0 FROM logins WHERE ip IS NULL AND account_id LIKE 'arn:%'") == [(True,)]
    # Each row knows its line: the record in a JSON document, the line elsewhere.
    lines = rows(
        case, "SELECT min(line), max(line) FROM payments JOIN files f USING (file) WHERE name = 'stripe-unified.csv'"
    )
    assert lines == [(2, 133)]
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"sound human" not in disk
    assert b"u41@" not in disk


def as_csv(table: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()


PROMPTS = ("messages", "input")
"""Columns whose content has keys of its own, which no export renames."""


def variants(name: str, text: str, dice: random.Random) -> dict[str, str]:
    """The sample with its columns shuffled, in another case, and cut off after some of them."""
    if name.endswith(".csv"):
        table = list(csv.reader(io.StringIO(text)))[:20]
        order = list(range(len(table[0])))
        dice.shuffle(order)
        keep = max(len(order) * 3 // 5, 1)
        made = {
            "shuffled": [[row[at] for at in order] for row in table],
            "renamed": [[name.upper() for name in table[0]], *table[1:]],
            "truncated": [row[:keep] for row in table],
        }
        return {what: as_csv(given) for what, given in made.items()}

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            dice.shuffle(items)
            return {key: shuffled(inner) for key, inner in items}
        return [shuffled(inner) for inner in value] if isinstance(value, list) else value

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key if key == "Records" or "pans" in key else key.swapcase(): v if key in PROMPTS else renamed(v)
                for key, v in value.items()
            }
        return [renamed(inner) for inner in value] if isinstance(value, list) else value

    parts = [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else json.loads(text)
    dumped = {"shuffled": shuffled(parts)}
    if not name.startswith("otel"):
        dumped["renamed"] = renamed(parts)
    if isinstance(parts, list) and not name.startswith("otel"):
        dumped["truncated"] = [dict(list(part.items())[: len(part) * 3 // 5]) for part in parts]
    form = (lambda v: "\n".join(map(json.dumps, v))) if name.endswith(".jsonl") else json.dumps
    return {what: form(value) for what, value in dumped.items()}


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.endswith(".log")])
def test_shuffled_renamed_and_truncated_columns_are_recognised(name: str, tmp_path: Path) -> None:
    text = (FOLDER / name).read_text()
    for what, variant in variants(name, text, random.Random(name)).items():
        path = tmp_path / f"{what}-{name}"
        path.write_text(variant)
        if what != "truncated" or found_or_none(path):
            assert recognised(path) == {preset_of(name)}, what
        else:
            # Cut off before most of its signs, or before what names the account: then it is said whose it may be.
            assert preset_of(name) in refusal(path).lower(), what


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("spend,end_user,model,user,metadata", "could be of litellm"),
        ("trace_name,call_type,api_base,trace_id,provided_model_name,cache_key,user", "could be of"),
        ("Card Brand,Card Funding,id,Amount", "could be of stripe"),
        ("colour,shape,size", "no table"),
        ("user_id,ip,type,date,user_agent", "no table"),
    ],
)
def test_a_file_is_not_guessed_at(tmp_path: Path, header: str, said: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text(header + "\n" + ",".join("x" for _ in header.split(",")) + "\n")
    assert said in refusal(path)


def test_a_table_of_ones_own_is_not_taken_for_anothers(tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("account_id,payment_id,Card Fingerprint,Card Funding,Seller Message,Card Brand\na,p,x,x,x,x\n")
    (source,) = find([path], Told()).sources
    assert source.preset is None
    # Named like a table, but with none of its columns: then the columns decide.
    stripe = tmp_path / "payments-2.csv"
    stripe.write_text((FOLDER / "stripe.csv").read_text())
    assert recognised(stripe) == {"stripe"}


def test_map_says_where_columns_come_from(tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text('user,addr,meta\nu1,8.8.8.8,"{""dev"": {""id"": ""d1""}}"\nA@x.example,8.8.4.4,{\n')
    case = tmp_path / "c.duckdb"
    maps = ["account_id=USER", "logins.ip=addr", "device_id=meta.dev.id"]
    ingest([path], case, table="logins", maps=maps)
    assert rows(case, "SELECT ip, device_id FROM logins ORDER BY ip") == [("8.8.4.4", None), ("8.8.8.8", "d1")]
    names = [name for (name,) in rows(case, "SELECT account_id FROM logins ORDER BY 1")]
    assert names[1] == "u1"
    assert re.fullmatch(r"a\*\*\*@x\.example#[0-9a-f]{16}", names[0])
    # With a preset, it takes the place of what that says.
    case = tmp_path / "d.duckdb"
    ingest([FOLDER / "litellm.csv"], case, maps=["account_id=api_key"])
    assert rows(case, "SELECT min(length(account_id)) FROM exchanges") == [(64,)]
    for wrong in ("account_id", "no_table.ip=x", "logins.payment_id=x", "=x", "colour=x"):
        with pytest.raises(UsageError):
            overrides([wrong])
    with pytest.raises(InputError, match="no column for account_id"):
        ingest([path], tmp_path / "e.duckdb", table="logins", maps=["account_id=missing"])


def test_explain_shows_each_column_and_writes_nothing(linkage: Callable[..., Output], tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    code, out, err = linkage("ingest", FOLDER / "stripe-unified.csv", "--explain", "--case", case)
    assert code == 0
    assert "payments of Stripe payments: " in out
    assert re.search(r"payment_id +Card Fingerprint +Fp\d+QwErTyUiOp · ", out)
    assert "u***@mail.example" in out
    assert "@mail" not in re.sub(r"\*\*\*@mail", "", out)
    assert "Ignored columns: plan (metadata)" in err
    assert list(tmp_path.iterdir()) == []
    shown = {one.table: one for one in explain([FOLDER / "helicone.csv"])}["exchanges"]
    assert {line.column: line.values for line in shown.lines}["prompt"] == ("***",) * 3
    assert shown.faults == ("", "", "")
    own = tmp_path / "logins.csv"
    own.write_text("account_id,ip\na,8.8.8.8\n,9\n")
    (shown,) = explain([own])
    assert [line.source for line in shown.lines] == ["account_id", "ip"]
    assert shown.faults == ("", "account_id is missing")
    code, out, _ = linkage("ingest", "--list-presets", "--json")
    assert {row["preset"] for row in json.loads(out)["rows"]} == set(presets())
    assert linkage("ingest")[0] == ExitCode.USAGE
    assert linkage("ingest", own, "--preset", "no-such", "--case", case)[0] == ExitCode.USAGE
    assert linkage("ingest", own, "--preset", "stripe", "--explain")[0] == ExitCode.INPUT


def test_what_it_was_read_as_is_said(linkage: Callable[..., Output], tmp_path: Path) -> None:
    code, out, err = linkage("ingest", FOLDER / "stripe.csv", "--case", tmp_path / "c.duckdb")
    assert code == 0
    assert "stripe.csv: 132 rows as payments, 132 new or changed" in out
    assert (
        "read as Stripe payments: Seller Message, Amount Refunded, Converted Amount and 16 more columns are its own"
        in err
    )


def test_a_row_that_names_no_account_is_told_once(tmp_path: Path) -> None:
    lines = (FOLDER / "stripe.csv").read_text().splitlines(keepends=True)
    header = lines[0].rstrip("\n").split(",")
    guest = lines[1].split(",")
    guest[header.index("Customer ID")] = ""
    total = ["Total" if name == "Customer ID" else "" for name in header]
    path = tmp_path / "payments.csv"
    path.write_text("".join([lines[0], ",".join(guest), *lines[2:6], lines[0], ",".join(total) + "\n"]))
    case = tmp_path / "c.duckdb"
    report = ingest([path], case)
    found = [(reject.line, reject.reason) for reject in rejects(case)]
    assert (2, "account_id is missing") in found
    assert (7, "the row is the header again") in found
    assert report.added > 0
    assert rows(case, "SELECT count(*) FROM payments") == [(4,)]
    assert rows(case, "SELECT count(*) FROM account_rows WHERE account_id NOT LIKE 'cus%'") == [(0,)]


def test_nginx_without_a_key_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "access.log.1"
    path.write_text('8.8.8.8 - - [01/Feb/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "curl/8"\n' * 3)
    assert "log_format linkage" in refusal(path)
    path.write_text('8.8.8.8 - - [01/Feb/2026:10:00:00 +0530] "GET /\\"x HTTP/1.1" 200 1 "-" "a \\"b\\"" "k1"\n' * 3)
    case = tmp_path / "c.duckdb"
    ingest([path], case)
    (row,) = rows(case, 'SELECT DISTINCT account_id, ip, user_agent, "at"::VARCHAR FROM logins')
    assert row == ("k1", "8.8.8.8", 'a \\"b\\"', "2026-02-01 04:30:00")


def test_parquet_and_nested_columns_are_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "spend.parquet"
    with duckdb.connect() as con:
        con.execute(f"COPY (FROM read_json('{FOLDER / 'litellm.json'}')) TO '{path}' (FORMAT parquet)")
    cases = []
    for file in (path, FOLDER / "litellm.json"):
        cases.append(tmp_path / f"{file.suffix}.duckdb")
        ingest([file], cases[-1])
    wanted = 'SELECT account_id, "at", ip, model, input_tokens, prompt IS NULL FROM exchanges ORDER BY ALL'
    assert rows(cases[0], wanted) == rows(cases[1], wanted)
    assert rows(cases[0], "SELECT count(*) FROM exchanges") == [(264,)]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("plain text", "plain text"),
        ('{"system": "S", "messages": [{"role": "user", "content": [{"type": "text", "text": "U"}]}]}', "S\n\nU"),
        ('[{"content": "first"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "last"}]', "last"),
        ('{"contents": [{"role": "user", "parts": [{"text": "G"}]}]}', "G"),
        ('{"inputText": "T"}', "T"),
        ('[{"role": "tool", "content": "result"}]', None),
        ("{}", None),
        ("[" * 5_000, "[" * 5_000),
        ('["\\ud800"]', "?"),
        ("{broken", "{broken"),
    ],
)  # fmt: skip
def test_the_prompt_in_what_an_api_was_sent(said: str, wanted: str | None) -> None:
    assert prompt_of(said) == wanted


# Card numbers.


def luhn(prefix: str) -> str:
    """A number of 16 digits that passes Luhn's test."""
    from linkage.ingest.card_numbers import is_card_number

    return next(f"{prefix}{last}" for last in range(10) if is_card_number(f"{prefix}{last}"))


def test_a_file_of_full_card_numbers_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    cards = [luhn(f"4{at:014d}") for at in range(40)]
    late = "".join(f"cus_{at},,2026-02-01,x,y,z\n" for at in range(1_000))
    stripe = "Customer ID,Card Fingerprint,Created (UTC),Seller Message,Card Brand,Card ID\n"
    spaced = [f"{card[:4]} {card[4:8]} {card[8:12]} {card[12:]}" for card in cards]
    spend = {"call_type": "x", "api_base": "x", "spend": 1, "user": "u", "startTime": "2026-02-01"}
    for name, text in (
        ("migration.csv", "id,card.number,card.exp\ncus_1,x,1\n"),
        (
            "payments.csv",
            stripe + late + "".join(f"cus_{at},fp,2026-02-01,,,{card}\n" for at, card in enumerate(cards)),
        ),
        ("logins.csv", "account_id,note\n" + "".join(f'a,"paid with {card}"\n' for card in spaced)),
        ("spend.jsonl", "".join(json.dumps({**spend, "metadata": {"card": card}}) + "\n" for card in cards)),
    ):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        path = folder / name
        path.write_text(text)
        with pytest.raises(InputError, match="full card numbers"):
            ingest([path], folder / "c.duckdb")
        assert [file.name for file in folder.iterdir()] == [name]


def test_ids_that_pass_luhn_by_chance_refuse_no_file(tmp_path: Path) -> None:
    dice = random.Random(3)
    ids = [f"{dice.choice('2456')}{dice.randrange(10**15):015d}" for _ in range(500)]
    stamps = [str(1_770_000_000_000_000 + dice.randrange(10**12)) for _ in range(500)]
    path = tmp_path / "spend.csv"
    path.write_text(
        "request_id,startTime,user,call_type,api_base,cache_key,session_id,messages\n"
        + "".join(
            f"{one},{stamp},u{at},x,{one},{stamp},{one},{'hello' if at % 40 else 'my card is 4111 1111 1111 1111'}\n"
            for at, (one, stamp) in enumerate(zip(ids, stamps, strict=True))
        )
    )
    case = tmp_path / "c.duckdb"
    assert ingest([path], case).added == 500
    assert b"4111 1111" not in case.read_bytes()
