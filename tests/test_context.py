"""Lists of networks and mail domains: read, kept, looked up, weighed, shown."""

import gzip
import ipaddress
import json
import math
import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage import results, store
from linkage.context.chances import Chance
from linkage.context.files import MAPPED, Content, Range, flatten, read
from linkage.context.guess import guesses
from linkage.context.model import ENOUGH, TYPES, Place
from linkage.context.places import built_in, places
from linkage.context.shown import known
from linkage.context.tables import add, kept, remove
from linkage.detect import detect
from linkage.errors import ExitCode, InputError, NotFoundError, UsageError
from linkage.evidence import weigh
from linkage.export import export
from linkage.identify import identify
from linkage.networks import NOT_EVIDENCE, canonical_ip, is_private, net_of
from linkage.report import report
from tests.cases import Output, make_case, sightings


def file(folder: Path, text: str, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def v4(text: str) -> int:
    return MAPPED | int(ipaddress.IPv4Address(text))


# Addresses.

_GROUPS = st.lists(st.sampled_from([0, 0, 0, 1, 0xFC00, 0xFD12, 0xFE80, 0xFFFF, 0x2001]), min_size=8, max_size=8)


@given(_GROUPS, st.sampled_from(["{:x}", "{:04X}"]), st.sampled_from(["", "%eth0", ":", "\0", " ", "/64", ".1"]))
def test_ipv6_is_read_as_the_standard_library_reads_it(groups: list[int], form: str, end: str) -> None:
    text = ":".join(form.format(group) for group in groups)
    for spelled in (text + end, str(ipaddress.IPv6Address(text)) + end, f"{text.rpartition(':')[0]}:8.8.4.4"):
        try:
            wanted = ipaddress.IPv6Address(spelled.strip().partition("%")[0])
        except ValueError:
            assert canonical_ip(spelled) is None
            continue
        assert canonical_ip(spelled) == str(wanted.ipv4_mapped or wanted)
        net = ipaddress.ip_network((wanted, 64), strict=False)
        assert net_of(str(wanted)) == str(net)
        assert is_private(str(net)) == any(net.network_address in outer for outer in NOT_EVIDENCE if outer.version == 6)


# Reading.


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.0,192.0.2.255,64500,Example Ltd\n",
        'start,end,asn,organisation\n192.0.2.0,192.0.2.255,64500,"Example Ltd"\n',
        "192.0.2.0/24,AS64500,Example Ltd\n",
        "192.0.2.0\t192.0.2.255\t64500\tFR\tExample Ltd\n192.0.3.0\t192.0.3.255\t0\tNone\tNot routed\n",
        "\ufeff# by hand\r\n\r\n192.0.2.0 , 192.0.2.127 , 64500 , Example Ltd\r\n192.0.2.128/25,64500,Example Ltd",
    ],
)
def test_tables_of_autonomous_systems_come_in_several_forms(tmp_path: Path, text: str) -> None:
    content = read("asn", [file(tmp_path, text)])
    assert content.ranges == [(v4("192.0.2.0"), v4("192.0.2.255"), 64500, "Example Ltd")]
    assert (content.rejected, content.overlaps) == (0, 0)


def test_a_name_with_commas_or_hostile_characters_stays_a_name(tmp_path: Path) -> None:
    text = '192.0.2.0/24,64500,"Evil\x1b[31m, \u202eInc."\n192.0.4.0/24,64501,AB,C\n'
    assert [name for *_, name in read("asn", [file(tmp_path, text)]).ranges] == ["Evil[31m, Inc.", "C"]


def test_a_list_of_networks_takes_every_form_and_tells_what_it_cannot_read(tmp_path: Path) -> None:
    text = """# a list
192.0.2.0/24
192.0.2.7 # inside the first
192.0.3.0-192.0.3.255
192.0.4.9/24 ; host bits
2001:db8::/32
AS64500 # all of it
nonsense
10.0.0.0/4
192.0.2.9-192.0.2.1
192.0.2.1-2001:db8::1
192.0.2.0/33
192.0.2.0/-1
1.2.3
"""
    path = tmp_path / "list.txt.gz"
    path.write_bytes(gzip.compress(text.encode()))
    content = read("vpn", [path], examples=9)
    base = int(ipaddress.IPv6Address("2001:db8::"))
    assert content.ranges == [
        (v4("192.0.2.0"), v4("192.0.4.255"), 0, ""),
        (base, base + 2**96 - 1, 0, ""),
    ]
    assert (content.systems, content.overlaps) == ({64500}, 1)
    assert [line for _, line, _ in content.examples] == [8, 9, 10, 11, 12, 13, 14]
    assert content.rejected == 7


def test_domains_are_lower_case_and_no_addresses(tmp_path: Path) -> None:
    text = "# free\nMailinator.com\n*.Trash.example.\n@x.test\nnot a domain\nuser@x.test\n192.0.2.1\nexample\n"
    text += "bücher.example\nmailinator.com\n"
    content = read("disposable", [file(tmp_path, text)])
    assert content.domains == {"mailinator.com", "trash.example", "x.test", "bücher.example"}
    assert content.rejected == 4


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("asn", ""),
        ("asn", "192.0.2.0/24\n192.0.3.0/24\n"),
        ("asn", "<html>\n<body>not found</body>\n"),
        ("vpn", "# nothing\n"),
        ("vpn", "192.0.2.0,192.0.2.255,64500,Example\n"),
        ("vpn", "mailinator.com\n"),
        ("hosting", "".join(f"{first}.0.0.0/8\n" for first in range(1, 70))),
        ("disposable", "192.0.2.0/24\n"),
    ],
)
def test_a_file_that_is_another_kind_of_list_is_refused(tmp_path: Path, source: str, text: str) -> None:
    with pytest.raises(InputError):
        read(source, [file(tmp_path, text)])
    (tmp_path / "x").write_bytes(b"\x89PNG\x00\xff" * 100)
    (tmp_path / "x.gz").write_bytes(b"no gzip at all")
    for name in ("x", "x.gz"):
        with pytest.raises(InputError, match="no list"):
            read(source, [tmp_path / name])


spans = st.tuples(st.integers(1, 60), st.integers(0, 25), st.integers(0, 2)).map(
    lambda t: (t[0], t[0] + t[1], t[2], "")
)


@given(st.lists(spans, max_size=25))
def test_overlaps_are_settled_as_going_through_all_addresses_settles_them(ranges: list[Range]) -> None:
    flat, overlaps = flatten(ranges)
    assert all(a[1] < b[0] for a, b in pairwise(flat))
    assert all(a[1] + 1 < b[0] or a[2:] != b[2:] for a, b in pairwise(flat))
    for address in range(90):
        covering = [
            (last - first, -at, asn) for at, (first, last, asn, _) in enumerate(ranges) if first <= address <= last
        ]
        found = [asn for first, last, asn, _ in flat if first <= address <= last]
        assert found == ([min(covering)[2]] if covering else [])
    ordered = sorted(ranges)
    reached, expected = -1, 0
    for first, last, *_ in ordered:
        expected += first <= reached
        reached = max(reached, last)
    assert overlaps == expected


# Kept and looked up.


def test_tables_are_replaced_whole_and_taken_out(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb")
    assert kept(case) == []
    first = add(case, "vpn", [file(tmp_path, "192.0.2.0/24\nAS64500\n", "a.txt")])
    assert (first.before, first.table.rows, first.table.files, first.changed) == (None, 2, ("a.txt",), True)
    assert not add(case, "vpn", [tmp_path / "a.txt"]).changed
    second = add(case, "vpn", [file(tmp_path, "2001:db8::/32\n", "b.txt"), file(tmp_path, "192.0.4.0/24\n", "c.txt")])
    assert second.before == first.table
    before = kept(case)
    with pytest.raises(InputError):
        add(case, "vpn", [file(tmp_path, "nothing of the kind\n", "d.txt")])
    with pytest.raises(NotFoundError):
        add(case, "vpn", [tmp_path / "none.txt"])
    assert kept(case) == before
    with store.reading(case) as con:
        found = places(con, [("ip", "192.0.2.1"), ("ip", "192.0.4.1"), ("ip", "2001:db8::1")])
    assert set(found) == {("ip", "192.0.4.1"), ("ip", "2001:db8::1")}
    assert remove(case, "vpn") == before[0]
    with pytest.raises(NotFoundError):
        remove(case, "vpn")
    with pytest.raises(UsageError, match="no source"):
        add(case, "satellite", [])
    with store.reading(case) as con:
        assert con.execute("SELECT count(*) FROM context_ranges").fetchone() == (0,)


def test_looking_up_agrees_with_going_through_the_lists(tmp_path: Path) -> None:
    draw = random.Random(7)
    case = make_case(tmp_path / "c.duckdb")

    def network() -> str:
        if draw.random() < 0.3:
            return f"2001:db8:{draw.randrange(4):x}::/{draw.choice([48, 56, 64])}"
        return f"192.0.{draw.randrange(8)}.{draw.randrange(256)}/{draw.choice([22, 24, 27, 32])}"

    lists = {source: [network() for _ in range(12)] for source in ("vpn", "hosting", "tor")}
    for source, networks in lists.items():
        add(case, source, [file(tmp_path, "\n".join(networks), source)])
    add(
        case,
        "asn",
        [file(tmp_path, "192.0.0.0/22,64500,First\n192.0.4.0/22,64501,Second\n2001:db8::/32,64502,Third\n")],
    )
    add(case, "mobile", [file(tmp_path, "AS64501\nAS64999\n", "mobile")])
    addresses = [f"192.0.{draw.randrange(9)}.{draw.randrange(256)}" for _ in range(300)]
    addresses += [f"2001:db8:{draw.randrange(5):x}::{draw.randrange(9):x}" for _ in range(50)]
    asked = [("ip", address) for address in addresses] + [("ip_net", "192.0.5.0/24"), ("ip_net", "2001:db8:1::/64")]
    with store.reading(case) as con:
        found = places(con, asked)
    for kind, value in asked:
        net = ipaddress.ip_network(value)
        types = [s for s, networks in lists.items() for n in networks if inside(net, n)]
        system = next(
            (
                asn
                for n, asn in (("192.0.0.0/22", 64500), ("192.0.4.0/22", 64501), ("2001:db8::/32", 64502))
                if inside(net, n)
            ),
            None,
        )
        types += ["mobile"] if system == 64501 else []
        place = found.get((kind, value), Place(kind, value))
        assert place.asn == system
        assert place.type == next((one for one in TYPES if one in types), None)


def inside(net: Any, outer: str) -> bool:
    wide = ipaddress.ip_network(outer, strict=False)
    return net.version == wide.version and bool(net.subnet_of(wide))


def test_of_a_hashed_address_the_network_is_looked_up(tmp_path: Path) -> None:
    logins = [
        {"account_id": name, "ip": hashed, "ip_net": net, "at": "2026-01-01"}
        for name in "ab"
        for hashed, net in (("0a1b", "192.0.2.0/24"), ("2c3d", "192.0.3.0/24"))
    ]
    case = make_case(tmp_path / "c.duckdb", logins=logins)
    add(case, "asn", [file(tmp_path, "192.0.2.0/23,64500,Example\n")])
    add(case, "tor", [file(tmp_path, "192.0.3.7\n")])
    with store.scratch(case) as con:
        identify(con, case)
        rows = con.execute("SELECT kind, value, asn, type FROM placed ORDER BY ALL").fetchall()
    # One Tor exit makes no Tor network of its neighbours.
    assert rows == [
        ("ip", "0a1b", 64500, None), ("ip", "2c3d", 64500, None),
        ("ip_net", "192.0.2.0/24", 64500, None), ("ip_net", "192.0.3.0/24", 64500, None),
    ]  # fmt: skip


def test_mail_domains_are_named_by_the_lists_that_come_along_and_by_the_users(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c.duckdb")
    asked = [("email_domain", domain) for domain in ("gmail.com", "mailinator.com", "burner.test", "acme.test")]
    with store.reading(case) as con:
        assert [place.type for place in places(con, asked).values()] == ["freemail", "disposable"]
    add(case, "disposable", [file(tmp_path, "burner.test\n")])
    with store.reading(case) as con:
        assert [p.type for p in places(con, asked).values()] == ["freemail", "disposable", "disposable"]
    for type in ("freemail", "disposable"):
        domains = read(type, [Path(__file__).parent.parent / "linkage" / "context" / "lists" / f"{type}.txt"]).domains
        assert domains == built_in(type)
    assert not built_in("freemail") & built_in("disposable")


# Weighed.


def test_a_type_only_lowers_what_an_address_is_worth_and_never_below_what_chance_bears() -> None:
    rows = [(f"a{n}", "ip", value) for value, holders in (("v", 2), ("w", 60)) for n in range(holders)]
    rows += [(f"a{n}", "payment", "p") for n in range(4)]
    plain = sightings(rows)
    for chance in (1e-9, 1e-4, 1e-3, 0.01, 0.5):
        typed = sightings(rows)
        object.__setattr__(typed, "chance", np.where(typed.kind == typed.kinds.index("ip"), chance, 0.0))
        before, after = weigh(plain), weigh(typed)
        worth = [w.bits[w.sightings.identifier] * w.habit for w in (before, after)]
        assert (worth[1] <= worth[0] + 1e-12).all()
        bound = max(0.0, math.log2(0.15 / chance))
        for at, identifier in enumerate(typed.identifier):
            own = worth[0][at]
            ip = typed.kinds[typed.kind[identifier]] == "ip"
            assert worth[1][at] == pytest.approx(min(own, bound * before.habit[at]) if ip else own)


def logins(holders: dict[str, list[str]]) -> list[dict[str, str]]:
    return [
        {"account_id": name, "ip": ip, "at": "2026-01-01 10:00:00"} for ip, names in holders.items() for name in names
    ]


def test_the_case_says_how_likely_strangers_share_an_address_and_a_ring_does_not_move_it(tmp_path: Path) -> None:
    # Accounts on a carrier's addresses, four to each; a tenth as many on a VPN; a ring of 30 behind one more address.
    names = [f"m{n:03}" for n in range(ENOUGH)]
    holders = {f"192.0.2.{n}": names[4 * n : 4 * n + 4] for n in range(ENOUGH // 4)}
    holders |= {"192.0.9.1": names[:30], "198.51.100.1": names[:20]}
    case = make_case(tmp_path / "c.duckdb", logins=logins(holders))
    add(case, "mobile", [file(tmp_path, "192.0.0.0/20\n")])
    add(case, "vpn", [file(tmp_path, "198.51.100.0/24\n", "vpn")])
    with store.scratch(case) as con:
        found = identify(con, case)
        rows = con.execute("SELECT * FROM chance_types WHERE kind = 'ip' ORDER BY type").fetchall()
        chance = dict(con.execute("SELECT value, chance FROM chances WHERE kind = 'ip'").fetchall())
    others = sorted(sum(len(who) - 1 for who in [*holders.values()][:-1] if name in who) for name in names)
    assert [Chance(*row) for row in rows] == [
        Chance("ip", "mobile", 51, ENOUGH, round(others[(ENOUGH - 1) // 2] / (ENOUGH - 1), 9), True),
        Chance("ip", "vpn", 1, 20, TYPES["vpn"][1], False),
    ]
    assert chance["192.0.9.1"] == pytest.approx(3 / (ENOUGH - 1))
    assert chance["198.51.100.1"] == TYPES["vpn"][1]
    assert (found.chance > 0).sum() == len(holders) + 3


def test_where_nobody_meets_anybody_a_type_changes_nothing(tmp_path: Path) -> None:
    holders = {f"192.0.2.{n}": [f"h{n:03}"] for n in range(ENOUGH)} | {"192.0.3.1": ["h000", "h001", "h002"]}
    case = make_case(tmp_path / "c.duckdb", logins=logins(holders))
    add(case, "hosting", [file(tmp_path, "192.0.2.0/23\n")])
    with store.scratch(case) as con:
        found = identify(con, case)
    assert not found.chance[found.kind == found.kinds.index("ip")].any()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring of six with a card, a device and a VPN's address; strangers at another of its addresses; a home."""
    ring, strangers, home = [f"r{n}" for n in range(6)], [f"s{n}" for n in range(5)], [f"h{n}" for n in range(5)]
    case = make_case(
        tmp_path_factory.mktemp("context") / "c.duckdb",
        accounts=[
            {"account_id": name, "created_at": "2026-01-01", "email": f"e-{name}", "email_domain": "gmail.com"}
            for name in [*ring, *strangers, *home]
        ],
        payments=[{"account_id": name, "payment_id": "card"} for name in ring],
        logins=[
            *logins({"192.0.2.7": ring, "192.0.2.8": strangers, "203.0.113.5": home}),
            *({"account_id": name, "device_id": "device"} for name in ring),
        ],
    )
    detect(case, nulls=0)
    return case


def outputs(case: Path, folder: Path) -> dict[str, bytes]:
    export(case, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def groups(case: Path) -> set[frozenset[str]]:
    return {frozenset(names) for _, names in results.judged(case)}


def test_strangers_at_a_vpn_are_no_group_and_a_home_and_a_ring_stay_one(found: Path, tmp_path: Path) -> None:
    case = tmp_path / "c.duckdb"
    shutil.copy(found, case)
    shutil.copy(f"{found}.key", f"{case}.key")
    ring, strangers, home = ({f"{letter}{n}" for n in range(size)} for letter, size in (("r", 6), ("s", 5), ("h", 5)))
    assert groups(case) == {frozenset(ring), frozenset(strangers), frozenset(home)}
    before = outputs(case, tmp_path / "before")
    add(case, "vpn", [file(tmp_path, "192.0.2.0/24\n", "vpn")])
    detect(case, nulls=0)
    assert groups(case) == {frozenset(ring), frozenset(home)}
    assert [(t.kind, t.type, t.estimated) for t in known(case)[1]] == [("ip", "vpn", False), ("ip_net", "vpn", False)]
    # Without the list everything is as if it had never been there, but for the number of the run.
    remove(case, "vpn")
    detect(case, nulls=0)
    assert outputs(case, tmp_path / "after") == before
    with store.reading(case) as con:
        kept_runs = con.execute("SELECT parameters FROM runs ORDER BY run").fetchall()
    assert kept_runs[0] == kept_runs[2]
    assert "context" in json.loads(kept_runs[1][0])


# Shown.


def test_what_is_known_stands_beside_the_evidence(
    found: Path, tmp_path: Path, linkage: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tmp_path / "c.duckdb"
    shutil.copy(found, case)
    shutil.copy(f"{found}.key", f"{case}.key")
    vpn = file(tmp_path, "192.0.2.0/24\nnonsense\n", "vpn.txt")
    code, out, err = linkage("context", "add", "vpn", vpn, "--case", case)
    assert (code, "1 rows for vpn" in out, "line 2: no address" in err) == (0, True, True)
    name = "Ex<b>ample " + "long " * 30
    assert linkage("context", "add", "asn", file(tmp_path, f"192.0.2.0/24,64500,{name}\n"), "--case", case)[0] == 0
    assert "nothing changed" in linkage("context", "add", "vpn", vpn, "--case", case)[2]
    detect(case, nulls=0)
    (row,) = [row for row, names in results.judged(case) if "r0" in names]
    code, out, _ = linkage("ring", row.ring_id, "--case", case)
    assert code == 0
    flat = " ".join(out.split())
    assert "192.0.2.7 (VPN, AS 64500 Ex<b>ample long" in flat
    assert "192.0.2.7, an address of a VPN, AS 64500 Ex<b>ample long" in flat
    assert "192.0.2.7 (VPN, AS 64500" in linkage("why", "r0", "r1", "--case", case)[1]
    document = json.loads(linkage("ring", row.ring_id, "--case", case, "--json")[1])
    (place,) = [place for place in document["places"] if place["kind"] == "ip"]
    assert (place["value"], place["asn"], place["type"]) == ("192.0.2.7", 64500, "vpn")
    report(case, tmp_path / "r.html", [row.ring_id])
    page = (tmp_path / "r.html").read_text()
    assert "VPN, AS 64500 Ex\\u003cb\\u003eample" in page
    assert "Ex<b>ample" not in page
    code, out, _ = linkage(
        "context", "show", "192.0.2.9", "192.0.2.9/24", "a@mailinator.com", "9.9.9.9", "--case", case
    )
    lines = [line.split(maxsplit=1)[0] for line in out.splitlines()[2:]]
    assert lines == ["192.0.2.9", "192.0.2.0/24", "mailinator.com", "9.9.9.9"]
    assert "disposable-mail domain" in out
    assert out.splitlines()[-1].endswith("nothing")
    assert "like a home" in linkage("context", "show", "203.0.113.5", "--case", case)[1]
    (row,) = json.loads(linkage("context", "show", "192.0.2.7", "--case", case, "--json")[1])["rows"]
    assert (row["place"]["type"], row["guess"]["accounts"], row["guess"]["share"]) == ("vpn", 6, 1.0)
    code, out, _ = linkage("context", "show", "--case", case)
    assert ("a judgement" in out, "vpn.txt" in out) == (True, True)
    document = json.loads(linkage("context", "show", "--case", case, "--json")[1])
    assert [table["source"] for table in document["tables"]] == ["asn", "vpn"]
    assert linkage("context", "remove", "vpn", "--case", case)[0] == 0
    assert linkage("context", "remove", "vpn", "--case", case)[0] == ExitCode.NOT_FOUND
    assert linkage("context", "add", "satellite", vpn, "--case", case)[0] == ExitCode.USAGE
    assert "Add one" in linkage("context", "show", "--case", make_case(tmp_path / "n.duckdb"))[2]


def test_a_guess_tells_who_lives_there_from_who_passes_through(tmp_path: Path) -> None:
    holders = {f"192.0.2.{n}": [f"v{m}" for m in range(20)] for n in range(6)}
    holders |= {"192.0.3.1": [f"h{n}" for n in range(4)], "192.0.3.2": [f"o{n}" for n in range(30)], "192.0.3.3": ["x"]}
    holders |= {f"192.0.4.{n}": [f"c{n}"] for n in range(2)} | {f"192.0.5.{n}": [f"c{n}"] for n in range(2)}
    case = make_case(tmp_path / "c.duckdb", logins=logins(holders | {"192.0.6.1": ["c0", "c1"]}))
    asked = {
        "192.0.2.1": "like one exit of many: a VPN, a carrier or a pool of proxies",
        "192.0.3.1": "like a home or a small office",
        "192.0.3.2": "like an office, a campus or a server",
        "192.0.3.3": "one account's alone",
        "192.0.6.1": "like a place that people pass through",
    }
    with store.reading(case) as con:
        found = guesses(con, [*asked, "192.0.9.9"])
    assert {value: guess.words for value, guess in found.items()} == asked


def test_nothing_is_kept_of_countries(tmp_path: Path) -> None:
    content: Content = read("asn", [file(tmp_path, "192.0.2.0\t192.0.2.255\t64500\tKP\tExample\n")])
    assert content.ranges[0][2:] == (64500, "Example")
