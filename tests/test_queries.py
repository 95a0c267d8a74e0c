"""The investigator's questions: their heads, what they find, what they leave alone, and how much they may give."""

import hashlib
import random
import re
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linkage import resources
from linkage.commands import run
from linkage.errors import InputError, LinkageError, Neo4jError, NotFoundError, UsageError
from linkage.graph import Graph, publish, schema
from linkage.graph.binding import bind, read
from linkage.graph.questions import Param, Question, ask, parse, question, questions
from linkage.graph.scripts import filled, literal, saved_scripts, write_saved_scripts
from linkage.ingest.normalise import stored_value
from linkage.secret import load_or_make_key
from linkage.server import Server
from tests.cases import make_case
from tests.graphs import clear, draw, emptied

pytestmark = pytest.mark.xdist_group("neo4j")

IDS = [one.id for one in questions()]
AUDITS = [one.id for one in questions() if one.mode == "audit"]

HEAD = """// id: mine
// title: A title
// answers: What it tells,
//   on two lines.
// param: ring ring required "the ring"
// param: limit integer 1..9 = 5 "rows"
// returns: a, b
// mode: table
// false_positives: Many.
MATCH (r:Ring {ring_id: $ring}) RETURN 1 AS a, 2 AS b
LIMIT $limit
"""


@pytest.fixture
def graph(neo4j_server: Server) -> Iterator[Graph]:
    """An empty graph with its schema."""
    with emptied(neo4j_server) as found:
        schema.apply(found)
        yield found


def answers(graph: Graph, name: str, **typed: str) -> list[dict[str, Any]]:
    """The rows of a table or audit."""
    asked = question(name)
    return list(ask(graph, asked, bind(asked, typed, graph=graph)).rows)


def picture(graph: Graph, name: str, **typed: str) -> tuple[set[str], int]:
    """Names of what a picture shows, and how many nodes and relationships Browser draws."""
    asked = question(name)
    drawing = ask(graph, asked, bind(asked, typed, graph=graph)).drawing
    assert drawing is not None
    keys = ("account_id", "key", "bundle_id", "ring_id")
    names = {next(node.properties[key] for key in keys if key in node.properties) for node in drawing.nodes}
    ids = [node.id for node in drawing.nodes]
    assert all(tie.start in ids and tie.end in ids for tie in drawing.relationships)
    (between,) = graph.one(
        "MATCH (a)-[r]->(b) WHERE elementId(a) IN $ids AND elementId(b) IN $ids RETURN count(r)", ids=ids
    )
    return names, len(ids) + int(between)


# Heads.


def test_a_head_is_read() -> None:
    asked = parse("mine", HEAD)
    assert asked.answers == "What it tells, on two lines."
    assert asked.params == (
        Param("ring", "ring", "required", "", None, None, "the ring"),
        Param("limit", "integer", "default", "5", 1, 9, "rows"),
    )
    assert (asked.returns, asked.mode) == (("a", "b"), "table")
    assert asked.cypher.startswith("MATCH (r:Ring")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("// id: mine", "// id: yours", "file name"),
        ("// title: A title\n", "", "in this order"),
        ("// title: A title\n", "// title: A title\n// title: Another\n", "in this order"),
        ("// mode: table\n// false_positives: Many.", "// false_positives: Many.\n// mode: table", "in this order"),
        ("// title: A title", "// titel: A title", "known key"),
        ("// title: A title", "// title:", "known key"),
        ("// title: A title", "// just a remark", "known key"),
        ("// mode: table", "// mode: chart", "its mode is none of"),
        ("// returns: a, b", "// returns: a,b", "its columns are not names"),
        ("// returns: a, b", "// returns: a, a", "its columns are not names"),
        ("// false_positives: Many.", "// false_positives: ", "known key"),
        ('ring required "the ring"', 'ring "the ring"', "is not NAME TYPE"),
        ('ring required "the ring"', "ring required the ring", "is not NAME TYPE"),
        ('ring required "the ring"', 'number required "the ring"', "is not NAME TYPE"),
        ('ring required "the ring"', 'text 1..2 required "the ring"', "have a range"),
        ("integer 1..9 = 5", "integer = 5", "have a range"),
        ("integer 1..9 = 5", "integer 1..9 = 50", "do not fit"),
        ("integer 1..9 = 5", "integer 1..9 = many", "do not fit"),
        ("integer 1..9 = 5", "float 1..9 = 5", "no integer"),
        ("LIMIT $limit", "", "its last line is not LIMIT"),
        ("LIMIT $limit", "LIMIT 100000", "its last line is not LIMIT"),
        ("LIMIT $limit", "LIMIT 10", "are not those of its Cypher"),
        ("ring_id: $ring", "ring_id: 'x'", "are not those of its Cypher"),
        ("RETURN 1 AS a", "WHERE r.x = $other RETURN 1 AS a", "are not those of its Cypher"),
        ("RETURN 1 AS a", "SET r.x = 1 RETURN 1 AS a", "may only read"),
        ("RETURN 1 AS a", "detach delete r RETURN 1 AS a", "may only read"),
        ("RETURN 1 AS a", "CALL db.labels() YIELD label RETURN 1 AS a", "may only read"),
        ("RETURN 1 AS a", "RETURN apoc.version() AS a", "may only read"),
        ("RETURN 1 AS a", "WHERE r.x = 'a&b' RETURN 1 AS a", "has &, #"),
        ("RETURN 1 AS a", "RETURN 1 AS a; MATCH (n)", "has &, #"),
        ('ring ring required "the ring"', 'ring identifier required "a value"', "needs a text parameter kind"),
    ],
)
def test_a_wrong_head_is_refused(old: str, new: str, problem: str) -> None:
    assert old in HEAD
    with pytest.raises(LinkageError, match=re.escape(problem)):
        parse("mine", HEAD.replace(old, new, 1))


def test_words_in_texts_and_remarks_are_no_clauses() -> None:
    parse("mine", HEAD.replace("RETURN 1 AS a", "// Set no store by it: MERGE\nWHERE r.x <> 'DELETE' RETURN 1 AS a"))


def test_the_readme_lists_the_files() -> None:
    folder = resources.folder("queries")
    text = (folder / "README.md").read_text()
    listed = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert listed == [
        (one.id, one.mode, ", ".join(f"`{param.name}`" for param in one.params), one.title) for one in questions()
    ]
    assert {path.stem for path in folder.iterdir()} == {*IDS, "README"}
    assert len(IDS) >= 17
    assert len({one.title for one in questions()}) == len(IDS)


# Binding.


def a_param(type_: Any, low: float | None = None, high: float | None = None) -> Param:
    return Param("p", type_, "required", "", low, high, "meaning")


@pytest.mark.parametrize(
    ("param", "typed", "value"),
    [
        (a_param("text"), "x=y", "x=y"),
        (a_param("integer", 1, 9), "9", 9),
        (a_param("float", 0, 1), "0.5", 0.5),
        (a_param("time"), "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        (a_param("time"), "2026-01-31T12:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        (a_param("list"), "a, b,,c ", ["a", "b", "c"]),
        (a_param("account"), "x" * 3_000, f"{'x' * 200}… sha256:{hashlib.sha256(b'x' * 3_000).hexdigest()}"),
    ],
)  # fmt: skip
def test_values_are_read_by_type(param: Param, typed: str, value: Any) -> None:
    assert read(param, typed) == value


@pytest.mark.parametrize(
    ("param", "typed"),
    [
        (a_param("integer", 1, 9), "10"),
        (a_param("integer", 1, 9), "1.5"),
        (a_param("integer", 1, 9), ""),
        (a_param("float", 0, 1), "nan"),
        (a_param("float", 0, 1), "wide"),
        (a_param("time"), "yesterday"),
        (a_param("text"), " "),
        (a_param("text"), "a\0b"),
        (a_param("text"), "\udc80"),
        (a_param("ring"), ""),
    ],
)
def test_what_does_not_fit_its_type_is_refused(param: Param, typed: str) -> None:
    with pytest.raises(UsageError, match=r"^p ") as caught:
        read(param, typed)
    assert caught.value.hint


def test_parameters_are_checked() -> None:
    asked = question("ring-members")
    with pytest.raises(UsageError, match="needs ring"):
        bind(asked, {})
    with pytest.raises(UsageError, match="no parameter rang"):
        bind(asked, {"rang": "1"})
    assert bind(asked, {"ring": "R1"}) == {"ring": "R1", "confidence": 0.0, "limit": 100}
    with pytest.raises(NotFoundError, match="no query rong") as caught:
        question("rong")
    assert caught.value.hint == "Did you mean: linkage query ring"


def test_a_typed_identifier_becomes_what_the_case_keeps(tmp_path: Path) -> None:
    asked = question("who-has")
    case = make_case(tmp_path / "case.duckdb")
    key = load_or_make_key(case)

    def bound(kind: str, value: str, where: Path | None = case) -> str:
        return str(bind(asked, {"kind": kind, "value": value}, case=where)["value"])

    assert bound("email", "A.da+x@GoogleMail.com") == stored_value("email", "ada@gmail.com", key)
    assert bound("phone", "0049 170 1234567") == stored_value("phone", "+491701234567", key)
    assert bound("prompt", "Say  HELLO") == stored_value("prompt", "say hello", key)
    assert bound("ip", "2001:DB8:0::1") == "2001:db8::1"
    assert bound("email", "0123456789abcdef0123456789abcdef") == "0123456789abcdef0123456789abcdef"
    assert len(bound("device", "d" * 5_000)) < 300
    assert bound("ip", "2001:DB8:0::1", None) == "2001:db8::1"
    with pytest.raises(NotFoundError, match="no case to hash"):
        bound("email", "ada@example.com", tmp_path / "none.duckdb")
    assert not (tmp_path / "none.duckdb.key").exists()
    with pytest.raises(InputError):
        bound("email", "no address")
    with pytest.raises(UsageError, match="needs kind"):
        bind(asked, {"value": "x"}, case=case)


# Literals and saved scripts.

HOSTILE = (
    "it's", '"', "\\", "\\'", "\\\\'", "\\u0027", "\\\\u0027 OR 1=1 //", "'}) DETACH DELETE n //", "`", "a\nb\r\tc",
    "&arg=#x", "$ring {limit}", "/* */ // x", "; MATCH (n)", "é 漢字 😀 \u202e\u2028\x7f\x85", ":play x", "%26 %23",
    "\\u", "\\N",
)  # fmt: skip


def test_literals_mean_what_was_typed(graph: Graph) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    tricky = st.text(st.sampled_from("'\\u0027&#;/*`$\n{}\"n"), max_size=20)
    for value in HOSTILE:
        check_literal(graph, value)

    @given(text | tricky)
    @example("\0")
    def every(value: str) -> None:
        check_literal(graph, value)

    every()
    at = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
    values = [1, -5, 0.25, 1e300, True, None, ["a", "it's"], at]
    (row,) = graph.rows(f"RETURN {literal(values[:-1])}, {literal(at)} = $at", at=at)
    assert row == (values[:-1], True)
    for wrong in (float("nan"), {"a": 1}):
        with pytest.raises(UsageError):
            literal(wrong)


def check_literal(graph: Graph, value: str) -> None:
    written = literal(value)
    assert not set("&#;`\n\r/") & set(written)
    assert graph.one(f"RETURN {written}") == (value,)


def test_filling_in_gives_the_same_answer(graph: Graph) -> None:
    draw(graph, [("a", "ip", "it's \\u0027"), ("b", "ip", "it's \\u0027")])
    asked = question("who-has")
    values = {"kind": "ip", "value": "it's \\u0027", "limit": 5}
    whole = filled(asked, values)
    assert "$" not in whole
    assert [row["account"] for row in graph.table(whole, {})[1]] == ["a", "b"]
    assert ask(graph, asked, values).rows == tuple(graph.table(whole, {})[1])
    assert filled(parse("mine", HEAD), {"ring": "$limit", "limit": 5}).count("$limit") == 0


def test_saved_scripts_run_as_they_are(graph: Graph, tmp_path: Path) -> None:
    path = tmp_path / "linkage.zip"
    assert write_saved_scripts(path, questions())
    assert not write_saved_scripts(path, questions())
    path.write_bytes(b"old")
    assert write_saved_scripts(path, questions())
    assert path.read_bytes() == saved_scripts(questions())
    assert [entry.name for entry in tmp_path.iterdir()] == ["linkage.zip"]
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert sorted(Path(name).stem for name in names) == sorted(IDS)
        assert all(len(Path(name).parts) == 2 for name in names)
        for name in names:
            asked, text = question(Path(name).stem), archive.read(name).decode()
            needed = {param.name: "x" for param in asked.params if param.need == "required"}
            assert text.splitlines()[0] == f"// {asked.title}"
            assert [line.split()[4] for line in text.splitlines() if "Set first: :param" in line] == list(needed)
            assert set(graph.table(f"EXPLAIN {text}", needed)[0]) == set(asked.returns)
    with pytest.raises(NotFoundError):
        write_saved_scripts(tmp_path / "nowhere" / "x.zip", questions())


# Every question.


def some_values(asked: Question, ring: str, account: str, other: str) -> dict[str, str]:
    known = {"ring": ring, "account": account, "other": other, "kind": "payment", "value": "card1"}
    return {param.name: known[param.name] for param in asked.params if param.need == "required"}


@pytest.mark.parametrize("name", IDS)
def test_each_is_bounded_and_only_reads(name: str) -> None:
    asked = question(name)
    assert not set("&#;`") & set(asked.cypher)
    assert asked.cypher.splitlines()[-1].startswith("LIMIT ")
    assert all(len(line) <= 120 for line in asked.text.splitlines())
    assert all(len(value) > 15 for value in (asked.title, asked.answers, asked.false_positives))
    limits = [param for param in asked.params if param.name == "limit"]
    assert asked.mode == "graph" or (limits and limits[0].high == 1000)


def test_all_answer_on_the_sample(graph: Graph, sample_case: Path) -> None:
    publish(sample_case, graph.target)
    two = [
        str(row[0])
        for row in graph.rows("MATCH (a:Account)-->(:Ring {rank: 4}) RETURN a.account_id ORDER BY a.account_id LIMIT 2")
    ]
    for asked in questions():
        for ring in ("1", "4"):
            values = bind(asked, some_values(asked, ring, *two), graph=graph)
            assert list(graph.table(f"EXPLAIN {asked.cypher}", values)[0]) == list(asked.returns)
            answer = ask(graph, asked, values)
            assert asked.mode != "audit" or answer.rows == (), asked.id
    assert picture(graph, "why-linked", account=two[0], other=two[1])[0] >= set(two)
    # The ring of five accounts is drawn whole.
    rank, members = graph.one(
        """MATCH (a:Account)-->(r:Ring) WITH r, collect(a.account_id) AS members WHERE size(members) = 5
        RETURN r.rank, members"""
    )
    (evidence,) = graph.one(f"MATCH (:Ring {{rank: {rank}}})-->(:Bundle)-->(i) RETURN collect(i.key)")
    names, size = picture(graph, "ring", ring=str(rank))
    assert names >= {*members, *evidence}
    assert size < 300
    others = [row[0] for row in graph.rows("MATCH (r:Ring) RETURN r.rank") if row[0] != rank]
    assert len(others) >= 4
    for other in others:
        assert 10 < picture(graph, "ring", ring=str(other))[1] < 300


def test_a_query_cannot_write(graph: Graph) -> None:
    asked = parse("mine", HEAD)
    sly = Question(**{**vars(asked), "cypher": "CREATE (n:Account) RETURN 1 AS a, 2 AS b\nLIMIT 1"})
    with pytest.raises(Neo4jError, match="only allowed to read"):
        ask(graph, sly, {})
    assert graph.one("MATCH (n:Account) RETURN count(n)") == (0,)
    lying = Question(**{**vars(asked), "cypher": "RETURN 1 AS b, 2 AS a\nLIMIT 1"})
    with pytest.raises(LinkageError, match="not what its head says"):
        ask(graph, lying, {})


def test_rings_are_found_by_rank_and_beginning(graph: Graph) -> None:
    draw(graph, rings={"Raa1": ["a"], "Rab2": ["b"], "R7": ["c"]})
    asked = question("ring-members")
    for typed, ring in (("1", "Raa1"), ("#2", "Rab2"), ("Rab", "Rab2"), ("Raa1", "Raa1"), ("R7", "R7")):
        assert bind(asked, {"ring": typed}, graph=graph)["ring"] == ring
    with pytest.raises(UsageError, match="More than one ring"):
        bind(asked, {"ring": "Ra"}, graph=graph)
    with pytest.raises(NotFoundError, match="no ring 9"):
        bind(asked, {"ring": "9"}, graph=graph)


# What each must find, and what it must leave alone.

CARD, ADDRESS, NETWORK = ("payment", "card"), ("ip", "10.0.0.1"), ("ip_net", "10.0.0.0/24")


def all_have(accounts: str, *values: tuple[str, str]) -> list[tuple[str, str, str]]:
    return [(account, *value) for account in accounts.split() for value in values]


def test_ring_members_with_their_ties(graph: Graph) -> None:
    draw(graph, all_have("a b", CARD) + all_have("a c", ADDRESS), rings={"R1": ["a", "b"]})
    rows = answers(graph, "ring-members", ring="R1")
    assert [(row["account"], row["kinds"], row["ties"]) for row in rows] == [
        ("a", ["payment"], 1),
        ("b", ["payment"], 1),
    ]
    assert [row["account"] for row in answers(graph, "ring-members", ring="R1", confidence="0.9")] == ["a"]


def test_why_linked_takes_the_shortest_way_and_no_hub(graph: Graph) -> None:
    draw(
        graph,
        all_have("a x", CARD) + all_have("x b", ADDRESS) + all_have("a b c", NETWORK),
        hubs=[NETWORK],
        links=[("b", "d")],
        rings={"R1": ["a", "b", "c"]},
    )
    assert picture(graph, "why-linked", account="a", other="b")[0] == {"a", "card", "x", "10.0.0.1", "b"}
    assert picture(graph, "why-linked", account="a", other="d")[0] == {"a", "card", "x", "10.0.0.1", "b", "d"}
    assert picture(graph, "why-linked", account="a", other="c") == (set(), 0)
    assert picture(graph, "why-linked", account="a", other="a") == (set(), 0)


def test_shared_by_two(graph: Graph) -> None:
    draw(graph, all_have("a b", CARD, NETWORK) + all_have("b c", ADDRESS), hubs=[NETWORK])
    rows = answers(graph, "shared-by-two", account="a", other="b")
    assert {(row["label"], row["damped"]) for row in rows} == {("card", None), ("10.0.0.0/24", "too wide")}
    assert answers(graph, "shared-by-two", account="a", other="c") == []


def test_timelines(graph: Graph) -> None:
    member = {"created_at": "2026-01-01T00:00Z", "first_seen": "2026-01-02T00:00Z", "banned_at": "2026-01-02T09:00Z"}
    draw(graph, accounts={"a": member, "z": member}, rings={"R1": ["a"], "R2": ["z"]})
    rows = answers(graph, "ring-timeline", ring="R1")
    assert [(row["account"], row["event"]) for row in rows] == [
        ("a", "signed up"), ("a", "first exchange"), ("a", "banned"),
    ]  # fmt: skip
    assert len(answers(graph, "ring-timeline", ring="R1", since="2026-01-02T08:00")) == 1
    days = [tuple(row.values()) for row in answers(graph, "ring-days", ring="R1")]
    assert days == [("2026-01-01", 1, 0, 0, 0), ("2026-01-02", 0, 1, 0, 1)]


def test_outsiders_are_ranked_and_hubs_bring_none(graph: Graph) -> None:
    draw(
        graph,
        all_have("a b o p", CARD) + all_have("a b o", ADDRESS) + all_have("a b o p q", NETWORK),
        rings={"R1": ["a", "b"], "R2": ["p"]},
        hubs=[NETWORK],
        bystanders=[("o", "R1")],
    )
    rows = answers(graph, "outsiders", ring="R1")
    assert [(row["account"], row["bits"], row["other_ring"], row["bystander"]) for row in rows] == [
        ("o", 10.0, None, "shares one value"), ("p", 5.0, "R2", None),
    ]  # fmt: skip
    assert [row["account"] for row in answers(graph, "outsiders", ring="R1", kinds="ip,device")] == ["o"]
    assert [row["account"] for row in answers(graph, "bystanders", ring="R1")] == ["o"]
    assert answers(graph, "bystanders", ring="R2") == []


def test_an_address_and_its_network_are_one_kind(graph: Graph) -> None:
    draw(
        graph,
        all_have("bad a b", ADDRESS, NETWORK) + all_have("bad a c", CARD) + all_have("bad c", ("device", "d")),
        accounts={"bad": {"status": "Banned"}, "c": {"status": "suspended"}},
    )
    rows = answers(graph, "shares-with-banned")
    assert [(row["account"], row["banned_account"], sorted(row["kinds"])) for row in rows] == [
        ("a", "bad", ["ip", "payment"]),
    ]  # fmt: skip
    assert {row["account"] for row in answers(graph, "shares-with-banned", least="1")} == {"a", "b"}


def test_worth_blocking_names_whom_it_hits(graph: Graph) -> None:
    outside = " ".join(f"o{n}" for n in range(9))
    draw(
        graph,
        all_have("a b c", CARD) + all_have(f"a b c {outside}", ADDRESS) + all_have("a b o1", NETWORK),
        rings={"R1": ["a", "b", "c"]},
        hubs=[NETWORK],
    )
    rows = answers(graph, "worth-blocking", ring="R1")
    assert [(row["label"], row["members"], row["outsiders"]) for row in rows] == [("card", 3, 0), ("10.0.0.1", 3, 9)]
    assert [row["also_hits"] for row in rows] == [[], ["o0", "o1", "o2", "o3", "o4"]]


def test_who_has(graph: Graph) -> None:
    draw(graph, all_have("a b", CARD) + all_have("b c", ADDRESS), rings={"R1": ["a"]})
    rows = answers(graph, "who-has", kind="payment", value="card")
    assert [(row["account"], row["ring"]) for row in rows] == [("a", "R1"), ("b", None)]
    assert answers(graph, "who-has", kind="device", value="card") == []


def test_bridges(graph: Graph) -> None:
    # c alone ties d and e, who have nothing but the address, to a and b. z is linked to a, so y does not part it.
    draw(
        graph,
        all_have("a b c", CARD, ("device", "d")) + all_have("c d e", ADDRESS) + all_have("b y z", ("prompt", "p")),
        rings={"R1": ["a", "b", "c", "d", "e", "y", "z"], "R2": ["q"]},
        links=[("z", "a")],
    )
    rows = answers(graph, "bridges", ring="R1")
    assert [(row["account"], row["hanging"], row["through"]) for row in rows] == [("c", 2, ["ip 10.0.0.1"])]
    graph.write("MATCH (:Account {account_id: 'y'})-[m:MEMBER_OF]->() SET m.tier = 'bridge'")
    found = {row["account"]: row["found_by"] for row in answers(graph, "bridges", ring="R1")}
    assert found == {"c": "single identifiers", "y": "linkage detect"}
    assert answers(graph, "bridges", ring="R2") == []


def test_the_middle_of_a_star_is_a_bridge(graph: Graph) -> None:
    draw(graph, all_have("m a b", CARD) + all_have("m c d", ADDRESS), rings={"R1": list("mabcd")})
    assert [(row["account"], row["hanging"]) for row in answers(graph, "bridges", ring="R1")] == [("m", 4)]
    clear(graph)
    draw(graph, all_have("m a b", CARD) + all_have("m a d", ADDRESS), rings={"R1": list("mabd")})
    assert answers(graph, "bridges", ring="R1") == []


def test_rings_that_share(graph: Graph) -> None:
    rings = {"R1": ["a", "b"], "R2": ["c", "d"], "R3": ["e", "f"]}
    draw(graph, all_have("a b c d", CARD) + all_have("a b c d e f", NETWORK), rings=rings, hubs=[NETWORK])
    rows = answers(graph, "rings-sharing")
    assert [(row["ring"], row["other_ring"], row["identifiers"]) for row in rows] == [("R1", "R2", ["payment card"])]
    assert len(answers(graph, "rings-sharing", ring="R2")) == 1
    assert answers(graph, "rings-sharing", ring="R3") == []
    assert picture(graph, "ring-neighbours", ring="R1")[0] == {"R1", "R1/payment", "card", "R2/payment", "R2"}
    assert picture(graph, "ring-neighbours", ring="R3") == (set(), 0)


def test_new_in_confirmed(graph: Graph) -> None:
    dated = {name: {"created_at": f"2026-01-0{at}T00:00Z"} for at, name in enumerate("abopz", 1)}
    draw(
        graph, all_have("a b o", CARD), accounts=dated, rings={"R1": ["a", "b"], "R2": ["z"]}, bystanders=[("p", "R1")]
    )
    assert answers(graph, "new-in-confirmed") == []
    graph.write("MATCH (r:Ring {ring_id: 'R1'}) SET r.status = 'confirmed'")
    rows = [(row["account"], row["attached"]) for row in answers(graph, "new-in-confirmed")]
    assert rows == [("p", "bystander"), ("o", "outsider"), ("b", "member"), ("a", "member")]
    graph.write("MATCH (r:Ring {ring_id: 'R1'}) SET r.review = 'dismiss'")
    assert answers(graph, "new-in-confirmed") == []


def test_still_active(graph: Graph) -> None:
    draw(graph, accounts={"a": {"status": "banned"}}, rings={"R1": ["a", "b"], "R2": ["c"]})
    assert [row["account"] for row in answers(graph, "still-active")] == ["b"]
    assert answers(graph, "still-active", confidence="0.9") == []
    assert answers(graph, "still-active", ring="R2") == []


def test_hubs_kinds_and_unreviewed_rings(graph: Graph) -> None:
    draw(graph, all_have("a b", CARD, NETWORK), rings={"R1": ["a", "b"], "R2": ["c"]}, hubs=[NETWORK])
    assert [row["label"] for row in answers(graph, "hubs")] == ["10.0.0.0/24"]
    assert answers(graph, "hubs", kind="payment") == []
    kinds = {row["kind"]: (row["damped"], row["in_rings"]) for row in answers(graph, "kinds")}
    assert kinds == {"payment": (0, 1), "ip_net": (1, 0)}
    graph.write("MATCH (r:Ring {ring_id: 'R1'}) SET r.review = 'dismiss'")
    assert [row["ring"] for row in answers(graph, "unreviewed-rings")] == ["R2"]
    graph.write("MATCH (r:Ring {ring_id: 'R2'}) SET r.status = 'watch'")
    assert answers(graph, "unreviewed-rings") == []


def test_networks_of_rings(graph: Graph) -> None:
    draw(graph, all_have("a b", CARD, ADDRESS, NETWORK) + all_have("c d", CARD), rings={"R1": ["a", "b"]})
    assert answers(graph, "networks") == []
    graph.write(
        "MATCH (i:IP) MATCH (n:Network) SET n.asn = 64500, n.name = 'Example', i.type = 'vpn' MERGE (i)-[:IN]->(n)"
    )
    (row,) = answers(graph, "networks")
    assert (row["type"], row["asn"], row["name"], row["rings"], row["addresses"]) == ("vpn", 64500, "Example", 1, 1)
    assert answers(graph, "networks", ring="R1") == [row]
    graph.write("MATCH (i:IP) SET i.hub = true")
    assert answers(graph, "networks") == []


def test_pictures_of_an_account_and_of_links(graph: Graph) -> None:
    draw(
        graph,
        all_have("a b", CARD) + all_have("a b z", NETWORK),
        rings={"R1": ["a", "b", "c"]},
        hubs=[NETWORK],
        links=[("a", "c"), ("c", "out")],
    )
    assert picture(graph, "account", account="a")[0] == {"a", "b", "c", "card", "10.0.0.0/24", "R1"}
    assert picture(graph, "links", ring="R1")[0] == {"a", "c"}


# Audits: each must fire on its fault, and on that only.

FAULTS = {
    "audit-two-rings": "MATCH (a:Account {account_id: 'a'}), (r:Ring {ring_id: 'R2'}) SET r.accounts = 2 "
    "CREATE (a)-[:MEMBER_OF {mirrored: true, tier: 'core', confidence: 0.5}]->(r)",
    "audit-no-bits": "MATCH (:Account {account_id: 'a'})-[s]->(:Identifier {key: 'card'}) REMOVE s.bits",
    "audit-unshared": "MATCH (:Account {account_id: 'b'})-[s]->(:Identifier {key: '10.0.0.0/24'}) DELETE s",
    "audit-ring-size": "MATCH (r:Ring {ring_id: 'R1'}) SET r.accounts = 7",
    "audit-bundles": "MATCH (:Bundle)-[h:HOLDS]->(:Identifier {key: 'card'}) DELETE h",
    "audit-gone": "MATCH (a:Account {account_id: 'o'}) SET a.gone = true",
    "audit-case": "MATCH (c:LinkageCase) SET c.complete = false",
    "audit-score": "MATCH (:Account {account_id: 'a'})-[m:MEMBER_OF]->() SET m.tier = 'boss'",
}
CLEAN = all_have("a b o", CARD) + all_have("a b", NETWORK) + all_have("o p", ADDRESS)


def test_every_audit_has_its_fault() -> None:
    assert sorted(FAULTS) == sorted(AUDITS)


@pytest.mark.parametrize("name", AUDITS)
def test_an_audit_fires_on_its_fault_only(graph: Graph, name: str) -> None:
    draw(graph, CLEAN, rings={"R1": ["a", "b"], "R2": ["p"]}, hubs=[NETWORK])
    graph.write(
        "CREATE (:Identifier {kind: 'note', key: 'by hand'}), "
        "(:Account {account_id: 'mine'})-[:MEMBER_OF]->(:Ring {ring_id: 'Rmine'})"
    )
    assert [one for one in AUDITS if answers(graph, one)] == []
    graph.write(FAULTS[name])
    assert [one for one in AUDITS if answers(graph, one)] == [name]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("audit-case", "CREATE (:LinkageCase {id: 'second', complete: true})"),
        ("audit-case", "MATCH (c:LinkageCase) DELETE c"),
        ("audit-score", "MATCH (r:Ring {ring_id: 'R1'}) SET r.score = 1.5"),
        ("audit-score", "MATCH (r:Ring {ring_id: 'R1'}) SET r.review = 'perhaps'"),
        ("audit-score", "MATCH ()-[m:MEMBER_OF {mirrored: true}]->() REMOVE m.confidence"),
        ("audit-bundles", "MATCH ()-[t:TIED_BY]->() DELETE t"),
        ("audit-bundles", "MATCH (b:Bundle) SET b.identifiers = 5"),
        ("audit-bundles", "MATCH (b:Bundle) SET b.kind = 'device'"),
    ],
)
def test_an_audit_has_more_than_one_fault(graph: Graph, name: str, fault: str) -> None:
    draw(graph, CLEAN, rings={"R1": ["a", "b"]}, hubs=[NETWORK])
    graph.write(fault)
    assert len(answers(graph, name)) >= 1


# Large and dense rings.


def test_a_ring_of_20_000_accounts_freezes_nothing(graph: Graph) -> None:
    dice = random.Random(20_000)
    members = [f"m{n:05}" for n in range(20_000)]
    outside = [f"o{n:05}" for n in range(20_000)]
    rows = {(name, *NETWORK) for name in members + outside}
    for n, name in enumerate(members):
        rows |= {(name, "payment", f"card{n % 500}"), (name, "device", f"d{n % 20}"), (name, "api_key", "all")}
        rows |= {(name, "ip", f"10.{dice.randrange(5_000)}") for _ in range(3)}
    rows |= {(name, "ip", f"10.{n}") for n, name in enumerate(outside[:5_000])}
    dated = {"created_at": "2026-01-01T00:00Z", "last_seen": "2026-02-01T00:00Z"}
    accounts = {name: {**dated, "status": "active" if n % 9 else "banned"} for n, name in enumerate(members)}
    draw(
        graph,
        sorted(rows),
        accounts=accounts,
        rings={"R1": members},
        hubs=[NETWORK],
        links=[(name, members[n // 2]) for n, name in enumerate(members) if n],
    )
    graph.write("MATCH (r:Ring) SET r.status = 'confirmed'")
    # For ten seconds Neo4j keeps to plans that it made for the small graphs of the tests before.
    graph.write("CALL db.clearQueryCaches()")
    for asked in questions():
        values = bind(asked, some_values(asked, "R1", "m00001", "o04999"), graph=graph)
        start = time.monotonic()
        answer = ask(graph, asked, values, seconds=20)
        assert time.monotonic() - start < 10, asked.id
        assert len(answer.rows) <= 1_000
    for name in ("ring", "account", "links"):
        asked = question(name)
        names, size = picture(graph, name, **some_values(asked, "R1", "m00001", ""))
        assert 20 < size < 300, name
    # Each kind is there with what it holds, and members of it.
    names, _ = picture(graph, "ring", ring="R1")
    assert {"R1/payment", "R1/device", "R1/api_key", "R1/ip", "all"} <= names
    assert len(names & set(members)) >= 10


def test_pictures_stay_small_where_all_share_everything(graph: Graph) -> None:
    # 60 accounts that all have the same 40 values of four kinds and are all linked to one another, beside other rings.
    names = [f"a{n:02}" for n in range(60)]
    values = [(kind, f"{kind}{n}") for kind in ("ip", "device", "payment", "prompt") for n in range(10)]
    rings = {f"R{n}": names[n * 10 : n * 10 + 10] for n in range(6)}
    draw(
        graph,
        [(name, *value) for name in names for value in values],
        rings=rings,
        bystanders=[(name, "R0") for name in names[30:]],
        links=[(one, two) for one in names[:30] for two in names[:30] if one != two],
    )
    shown = {
        name: picture(graph, name, **some_values(question(name), "R0", "a00", other))
        for name, other in (
            ("ring", ""),
            ("account", ""),
            ("links", ""),
            ("ring-neighbours", ""),
            ("why-linked", "a55"),
        )
    }
    assert all(2 < size < 300 for _, size in shown.values()), {name: size for name, (_, size) in shown.items()}
    assert len(shown["ring"][0] & set(names)) >= 5


# The command.


@pytest.fixture
def _pointed(neo4j_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_NEO4J_URI", neo4j_server.bolt_url)
    monkeypatch.setenv("LINKAGE_NEO4J_USER", neo4j_server.user)
    monkeypatch.setenv("LINKAGE_NEO4J_PASSWORD", neo4j_server.password)


def test_the_command_lists_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in IDS)
    assert run(["query", "--json"]) == 0
    assert '"schema": "linkage.queries/1"' in capsys.readouterr().out
    assert run(["query", "--jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(IDS)
    assert run(["query", "hubs", "--show"]) == 0
    assert capsys.readouterr().out.startswith("// id: hubs\n")
    assert run(["query", "hubs", "--show", "--param", "kind=i'p", "--limit", "3"]) == 0
    shown = capsys.readouterr().out
    assert "'i\\'p'" in shown
    assert shown.endswith("LIMIT 3\n")
    path = tmp_path / "s.zip"
    assert run(["query", "--saved-scripts", str(path)]) == 0
    assert run(["query", "--saved-scripts", str(path), "--json"]) == 0
    assert '"changed": false' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["hub"], 4, "Did you mean: linkage query hubs"),
        (["hubs", "--audit"], 2, "exclude each other"),
        (["--limit", "3"], 2, "need the query's NAME"),
        (["hubs", "--param", "kind"], 2, "is not NAME=VALUE"),
        (["hubs", "--param", "kind=a", "--param", "kind=b"], 2, "given twice"),
        (["hubs", "--show", "--param", "kin=a"], 2, "no parameter kin"),
        (["ring", "--limit", "3"], 2, "has no limit"),
        (["hubs", "--limit", "3000", "--show"], 2, "from 1 to 1000"),
        (["hubs"], 5, "linkage neo4j up"),
    ],
)
def test_the_command_refuses(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["query", *arguments]) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.usefixtures("_pointed")
def test_the_command_asks(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "card\x1b[31m[red]"
    draw(graph, all_have("a b o", ("payment", hostile)), rings={"R1": ["a", "b"]})
    assert run(["query", "ring-members", "--param", "ring=1"]) == 0
    captured = capsys.readouterr()
    assert "card\\x1b[31m[red]" in captured.out
    assert "Mind: " in captured.err
    assert run(["query", "ring", "--param", "ring=1"]) == 0
    captured = capsys.readouterr()
    assert "PAID_WITH" in captured.out
    assert "\x1b" not in captured.out
    assert run(["query", "ring", "--param", "ring=1", "--json"]) == 0
    document = capsys.readouterr().out
    assert '"schema": "linkage.query/1"' in document
    assert '"labels"' in document
    assert run(["query", "ring", "--param", "ring=1", "--jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 11
    assert run(["query", "outsiders", "--param", "ring=1", "--limit", "1", "--jsonl"]) == 0
    assert '"account": "o"' in capsys.readouterr().out
    assert run(["query", "hubs"]) == 0
    assert "Nothing is found." in capsys.readouterr().err
    clear(graph)
    assert run(["query", "hubs"]) == 0
    assert "linkage neo4j publish" in capsys.readouterr().err
    draw(graph, rings={"R1": ["a"]})
    assert run(["query", "ring", "--param", "ring=1", "--show"]) == 0
    assert "{ring_id: 'R1'}" in capsys.readouterr().out


@pytest.mark.usefixtures("_pointed")
def test_the_command_audits(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    draw(graph, CLEAN, rings={"R1": ["a", "b"]}, hubs=[NETWORK])
    assert run(["query", "--audit"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in AUDITS)
    graph.write("MATCH (r:Ring) SET r.accounts = 7")
    assert run(["query", "--audit", "--json"]) == 6
    captured = capsys.readouterr()
    assert "audit-ring-size" in captured.err
    assert '"members": 2' in captured.out
    assert run(["query", "audit-ring-size"]) == 0
