"""What is fuzzed: each target takes bytes and gives an answer or a `LinkageError`; what both must be is asserted.

Targets without files or an engine behind them are in `QUICK`, and are guided by coverage (`guided.py`). Here nothing is
random: the bytes decide all.
"""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from linkage import indicators, packet
from linkage.commands import settings
from linkage.context import files
from linkage.errors import LinkageError
from linkage.graph import pull
from linkage.graph.questions import parse
from linkage.ingest import mapping
from linkage.ingest.card_numbers import CARD, card_state, is_card_number, shaped
from linkage.ingest.messages import prompt_of
from linkage.ingest.shape import header_names
from linkage.networks import canonical_ip, is_private, net_of
from linkage.seeds import read_accounts
from linkage.text import inert, original, safe, safe_json
from linkage.until import until

NOW: Final = datetime(2026, 3, 1)


def _text(data: bytes) -> str:
    """Any text that a terminal or an export may hand on, half characters included."""
    return data.decode("utf-8", "surrogateescape")


def address(data: bytes) -> None:
    """One spelling of an address, and the same again of that."""
    canonical = canonical_ip(_text(data))
    network = net_of(_text(data))
    is_private(_text(data))
    if canonical:
        assert canonical_ip(canonical) == canonical
        assert network is None or canonical_ip(network.partition("/")[0])


def card(data: bytes) -> None:
    """A text that is a card's number holds one."""
    text = _text(data)
    found = card_state(text)
    if is_card_number(text) and shaped(text) and text == text.strip(" -") and "  " not in text and "--" not in text:
        assert found in (0, CARD)


def end(data: bytes) -> None:
    """`--until`: a time to come, or a usage error."""
    found = until(_text(data), NOW)
    assert found is not None and found > NOW and found.tzinfo is None


def question(data: bytes) -> None:
    """A query's file: read, and bounded, or refused."""
    found = parse("some-query", _text(data))
    assert found.id == "some-query" and "LIMIT" in found.cypher


def preset(data: bytes) -> None:
    """A preset's file: read, or told as broken."""
    text = _text(data)
    # As `presets` calls it: what it raises there is told as a broken preset.
    with suppress(AttributeError, KeyError, TypeError, ValueError, RecursionError):
        for reading in mapping._preset("fuzzed", tomllib.loads(text)).readings:
            assert reading.rows


def columns(data: bytes) -> None:
    """`--map` and the paths in it."""
    text = _text(data)
    mapping.split(text)
    mapping.overrides(text.split("\n"))


def header(data: bytes) -> None:
    """The header of a CSV file."""
    names, delimiter = header_names("file", "csv", _text(data).partition("\n")[0])
    assert names and len(delimiter) == 1


def shown(data: bytes) -> None:
    """What is shown is inert, and what is exported can be turned back."""
    text = _text(data)
    assert safe(text).isprintable()
    assert original(inert(text)) == text
    document = json.dumps(text, ensure_ascii=False)
    assert json.loads(safe_json(document)) == text and safe_json(document).isprintable()


def message(data: bytes) -> None:
    """What a log holds of a request."""
    found = prompt_of(data.decode("utf-8", "replace"))
    assert found is None or found.encode() is not None


def pulled(data: bytes) -> None:
    """What people wrote on a ring in Neo4j: a decision, or the reason why it is none."""
    values = json.loads(data)
    row = [*(values if isinstance(values, list) else [values]), *[None] * 6][:6]
    found = pull._decision(("R1", *row[1:]) if row[0] == "R1" else tuple(row), "neo4j", {"R1"})
    assert found.reason if isinstance(found, pull.Refused) else found.ring_id == "R1"


def _of_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], None]:
    """A target that reads its bytes from a file."""

    def act(data: bytes) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            read(path)

    return act


QUICK: Final[Mapping[str, Callable[[bytes], None]]] = {
    "addresses": address,
    "card numbers": card,
    "--until": end,
    "query heads": question,
    "presets": preset,
    "--map": columns,
    "CSV headers": header,
    "shown text": shown,
    "messages in logs": message,
    "pulled values": pulled,
    "lists of accounts": _of_file(read_accounts, "members.txt"),
    "STIX bundles": _of_file(indicators._read, "bundle.json"),
    "packet manifests": _of_file(lambda path: packet._manifest(path.parent), "manifest.json"),
    "settings": _of_file(settings._read, "linkage.toml"),
    "network lists": _of_file(lambda path: files.read("asn", [path]), "asn.csv"),
}

SEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "addresses": ("2001:db8::1", "::ffff:8.8.4.4", "fe80::1%eth0", "8.8.8.8"),
    "card numbers": ("pan 4111-1111-1111-1111 12/26", "4111111111111112", "٤١١١١١١١١١١١١١١١"),
    "--until": ("90d", "2026-04-01", "2027-03-01T12:00+02:00", "9999-12-31T23:59-14:00"),
    "query heads": (
        '// id: some-query\n// title: t\n// answers: a\n// param: limit integer 1..9 = 5 "rows"\n// returns: a, b\n'
        "// mode: table\n// false_positives: none\nMATCH (n) RETURN n.a AS a, n.b AS b\nLIMIT $limit\n",
    ),
    "presets": (
        'title = "t"\nexport = "e"\nsource = "s"\naccount = "a"\nsigns = ["x"]\ncolumns = ["y"]\n[[read]]\n'
        'table = "logins"\nonly = {x = ["1"]}\n[read.columns]\naccount_id = "x"\nip = {from = ["y"], as = "address"}\n',
    ),
    "--map": ("account_id=user_id", 'logins.at=a."b\\"c".d'),
    "CSV headers": ('account_id,"a,b";c', "a\tb|c"),
    "shown text": ("=1+1;\t@x", "a\x1b[31m\u202e", "'quoted'"),
    "messages in logs": (
        '{"system": [{"text": "x"}], "messages": [{"role": "user", "content": [{"text": "Hi"}, {"parts": "x"}]}]}',
        '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "\\ud800"}]',
    ),
    "pulled values": (
        '["R1", "confirm", "note", ["a", "b"], "ada", "2026-02-01T10:00:00+02:00"]',
        '["R1", " Confirmed", null, "tag", null, "0001-01-01T00:00:00+14:00"]',
    ),
    "lists of accounts": ('account_id;x\n"a;b";1\n', "a\nb\n"),
    "STIX bundles": (
        '{"type": "bundle", "objects": [{"type": "indicator", "id": "indicator--1", "pattern": "[x:kind = \'ip\']", '
        '"confidence": 1e999, "revoked": true, "modified": "2026-01-01T00:00:00Z"}]}',
    ),
    "packet manifests": ('{"schema": "linkage.packet/1", "ring_id": "R1", "files": {"a": "../b"}, "inputs": [1]}',),
    "settings": ('case = "x"\n[neo4j]\nuri = "bolt://x"\n',),
    "network lists": ("1.0.0.0,1.0.0.255,13335,CLOUD\n", "2001:db8::/32,64500,X\n", "1.0.0.0\t1.0.0.255\t1\tUS\tX\n"),
}
"""Where a guided search begins."""


@contextmanager
def answered() -> Iterator[None]:
    """An answer, or an error that is meant for a person."""
    try:
        yield
    except LinkageError as error:
        assert type(error) is not LinkageError or error.hint, error
        assert "Unexpected" not in error.message, error


def tried(name: str, data: bytes) -> None:
    """Try one input on one of the `QUICK` targets."""
    if name == "pulled values":
        # What arrives has been read by the driver: bytes that are no JSON make no value.
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return
    with answered():
        QUICK[name](data)
