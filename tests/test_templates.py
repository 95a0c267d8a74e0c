"""Reading templates: who sends one, how often and when, and by which names it is found."""

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import linkage
from linkage import store
from linkage.commands import run
from linkage.commands.template import hour_line
from linkage.detect import detect
from linkage.errors import ExitCode, NotFoundError
from linkage.export import export
from linkage.ingest import ingest
from linkage.ingest.normalise import stored_value
from linkage.secret import load_or_make_key
from linkage.templates import Template, template, templates

WORDS = [
    *("river", "stone", "paper", "cloud", "engine", "garden", "silver", "window", "market", "yellow"),
    *("bottle", "thunder", "castle", "forest", "harbor", "island", "jungle", "kettle", "ladder", "meadow"),
    *("napkin", "orchard", "pebble", "quarry", "rocket", "saddle", "tunnel", "velvet", "walnut", "zipper"),
]
ODD = "acct \"7\" 'ö'; -- 💳"


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def exchange(account: str, hour: int, prompt: str | None = None, **more: Any) -> dict[str, Any]:
    return {"account_id": account, "at": f"2026-02-01T{hour % 24:02d}:{hour // 24 % 60:02d}:00Z", "prompt": prompt,
            **more}  # fmt: skip


def review(number: int) -> str:
    """A prompt of one template: every number gives another text."""
    return (
        f"You are a careful translator. Translate review {number} of {chatter(number, 2)} into plain English, keep "
        f"all the names as they are and answer with the text alone. {chatter(number, 6)}"
    )


def chatter(seed: int, words: int = 30) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """25 of 30 exchanges of one account follow a template, 5 of another's, one of a third's; a fingerprint beside."""
    rows = [exchange("busy", i, review(i) if i < 25 else chatter(i), model="m-large") for i in range(30)]
    rows += [exchange(ODD, 3, review(100 + i), model="m-small") for i in range(5)]
    rows += [exchange(ODD, 5, None, prompt_fingerprint="fp_Größe-1") for _ in range(5)]
    rows += [exchange("once", 7, review(7), prompt_fingerprint="fp_Größe-1")]
    made = tmp_path / "case.duckdb"
    ingest([write(tmp_path / "exchanges.jsonl", rows)], made)
    return made


def shared_one(case: Path) -> Template:
    return template(case, templates(case).rows[0].id)


def test_a_template_tells_who_sends_it_and_when(case: Path) -> None:
    found = shared_one(case)
    assert (found.level, found.exchanges, found.prompts) == ("template", 31, 30)
    assert (found.accounts, found.once, found.several, found.heavy) == (3, 1, 1, 1)
    assert [(use.model, use.exchanges) for use in found.models] == [("m-large", 25), ("m-small", 5), (None, 1)]
    assert (found.hours[3], found.hours[7], found.hours[23], sum(found.hours)) == (6, 2, 1, 31)
    assert [(s.account_id, s.exchanges, s.prompted, s.share) for s in found.senders] == [
        ("busy", 25, 30, 0.8333), (ODD, 5, 10, 0.5), ("once", 1, 1, 1.0),
    ]  # fmt: skip
    assert found.verdict == "83% of busy's 30 exchanges follow this template, shared with 2 others."
    assert str(found.first_seen) == "2026-02-01 00:00:00"
    assert len(template(case, found.id, limit=1).senders) == 1


def test_every_form_of_a_name_finds_it(case: Path) -> None:
    found = shared_one(case)
    digits = found.id.removeprefix("template:")
    for name in (digits, digits.upper(), digits[:8], f"template:{digits[:6]}", f" {found.id} "):
        assert template(case, name).id == found.id
    exact = template(case, f"exact:{digits}")
    assert (exact.level, exact.prompts, exact.template) == ("exact", 1, found.id)
    own = template(case, "fp_Größe-1")
    assert (own.level, own.id, own.exchanges, own.accounts) == ("given", "fp_Größe-1", 6, 2)
    assert own.verdict == f"50% of {ODD}'s 10 exchanges have this fingerprint, shared with one other."
    assert template(case, "fp_Größ").id == "fp_Größe-1"


def test_an_opening_and_an_ending_have_names_of_their_own(tmp_path: Path) -> None:
    preamble = "This house answers in plain words, names its sources, and never guesses at what nobody told it.\n" * 2
    rows = [exchange(f"a{i}", i, preamble + chatter(i) + "\n" + chatter(i + 50)) for i in range(4)]
    case = tmp_path / "case.duckdb"
    ingest([write(tmp_path / "exchanges.jsonl", rows)], case)
    with store.reading(case) as con:
        ((opening,),) = con.execute("SELECT DISTINCT format('{:016x}', opening) FROM templates").fetchall()
    found = template(case, f"opening:{opening}")
    assert (found.level, found.accounts, found.prompts) == ("opening", 4, 4)
    assert "begin with this opening, shared with 3 others" in found.verdict


def test_templates_of_an_account_and_of_the_case(case: Path) -> None:
    shared = shared_one(case)
    everything = templates(case)
    assert [(row.id, row.level, row.exchanges, row.share, row.accounts, row.heavy) for row in everything.rows] == [
        (shared.id, "template", 31, None, 3, 1), ("fp_Größe-1", "given", 6, None, 2, 0),
    ]  # fmt: skip
    own = templates(case, ODD)
    assert [(row.id, row.exchanges, row.share, row.accounts) for row in own.rows] == [
        (shared.id, 5, 0.5, 3), ("fp_Größe-1", 5, 0.5, 2),
    ]  # fmt: skip
    # What it sent once, and nobody else did, is left out.
    assert [row.id for row in templates(case, "busy").rows] == [shared.id]
    assert len(templates(case, limit=1).rows) == 1
    assert templates(case, "busy").verdict == f"83% of busy's 30 exchanges follow {shared.id}, shared with 2 others."


def test_both_names_of_joined_templates_answer(tmp_path: Path) -> None:
    # Two texts that have nothing in common, and others between them that lead from one to the other.
    case = tmp_path / "case.duckdb"
    first = [exchange("a", 1, " ".join(WORDS[:15])), exchange("b", 2, " ".join(WORDS[15:]))]
    ingest([write(tmp_path / "exchanges-1.jsonl", first)], case)
    with store.reading(case) as con:
        rows = con.execute("SELECT DISTINCT format('{:016x}', body) FROM templates ORDER BY 1").fetchall()
    before = [name for (name,) in rows]
    between = [exchange("c", at, " ".join(WORDS[at : at + 15])) for at in range(3, 15, 3)]
    ingest([write(tmp_path / "exchanges-2.jsonl", between)], case)
    found = template(case, before[0])
    assert len(before) == 2 and found.accounts == 3
    for name in before:
        again = template(case, f"template:{name}")
        assert (again.id, again.exchanges) == (found.id, 6)
        assert again.alias == (None if again.id.endswith(name) else f"template:{name}")
    assert {f"template:{name}" for name in before} - {found.id} == set(found.aliases)
    # The export has them in a file of its own.
    detect(case)
    report = export(case, tmp_path / "out")
    listed = (tmp_path / "out" / "template_aliases.csv").read_text().splitlines()
    assert listed[0] == "part,alias,template" and report.rows["template_aliases"] == len(listed) - 1
    assert [f"template,{alias},{found.id}" for alias in found.aliases] == listed[1:]
    assert not export(case, tmp_path / "out").changed
    assert export(case, tmp_path / "parquet", format="parquet").rows["template_aliases"] == len(listed) - 1


def test_what_cannot_be_found_is_said(case: Path, tmp_path: Path) -> None:
    for name, hint in (("template:ffffffffffffffff", "linkage templates"), ("12345", "at least 6"), ("", "at least 6"),
                       ("fp_nobody", "linkage templates"), ("template:'; DROP", "linkage templates")):  # fmt: skip
        with pytest.raises(NotFoundError, match="knows no template") as failed:
            template(case, name)
        assert hint in failed.value.hint
    with pytest.raises(NotFoundError, match="knows no account"):
        templates(case, "nobody")
    empty = tmp_path / "empty.duckdb"
    ingest([write(tmp_path / "logins.jsonl", [{"account_id": "a", "ip": "192.0.2.1"}])], empty)
    with pytest.raises(NotFoundError, match="holds no prompts"):
        template(empty, "template:ffffffffffffffff")
    assert templates(empty).verdict == "No exchange in the case has a prompt."
    assert templates(empty, "a").verdict == "No exchange of a has a prompt."


def test_a_name_that_several_begin_with_is_refused_with_their_names(tmp_path: Path) -> None:
    rows = [exchange("a", 1, prompt_fingerprint=f"family-{name}") for name in ("one", "two")]
    case = tmp_path / "case.duckdb"
    ingest([write(tmp_path / "exchanges.jsonl", rows)], case)
    with pytest.raises(NotFoundError, match="2 templates begin with 'family': family-one, family-two"):
        template(case, "family")
    assert template(case, "family-one").exchanges == 1


def test_a_typed_name_is_looked_up_as_it_is(tmp_path: Path) -> None:
    key = load_or_make_key(tmp_path / "case.duckdb")
    for name in ("template:00b9b0a758706368", "opening:00b9b0a758706368", "ending:ffffffffffffffff",
                 "exact:0000000000000001", "00b9b0a758706368", "fp_Größe-1"):  # fmt: skip
        assert stored_value("prompt", name, key) == name


def test_the_commands_print_it(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shared_one(case)
    assert run(["template", found.id, "--case", str(case)]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert f"{found.id}: prompts alike" in shown
    assert "3 accounts (20 times or more: 1; 2 to 19 times: 1; once: 1)" in shown
    assert "Models: m-large 25, m-small 5, (none given) 1" in shown
    assert f"Hours (UTC): 0h {hour_line(found.hours)} 23h" in shown
    assert ODD in shown
    assert run(["template", found.id, "--json", "--case", str(case)]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["accounts"], len(document["hours"])) == ("linkage.template/1", 3, 24)
    assert run(["templates", "--case", str(case)]) == ExitCode.DONE
    assert found.id in capsys.readouterr().out
    assert run(["templates", "--account", ODD, "--case", str(case)]) == ExitCode.DONE
    assert f"of {ODD}'s 10 exchanges" in capsys.readouterr().out
    assert run(["templates", "--jsonl", "--case", str(case)]) == ExitCode.DONE
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [found.id, "fp_Größe-1"]
    assert run(["template", "nothing", "--case", str(case)]) == ExitCode.NOT_FOUND
    assert "Hint: See them: linkage templates" in capsys.readouterr().err


def test_the_frames(case: Path) -> None:
    opened = linkage.Case(case)
    frame = opened.templates("busy")
    assert frame.attrs["prompted"] == 30 and frame.share[0] == 0.8333
    senders = opened.template(frame.id[0])
    assert list(senders.account_id) == ["busy", ODD, "once"]
    assert senders.attrs["heavy"] == 1 and str(senders.first_seen.dtype) == "datetime64[us]"
