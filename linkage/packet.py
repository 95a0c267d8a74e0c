"""An evidence packet: what is said of a ring, the rows and files that each sentence rests on, and hashes of it all.

A packet is a folder that can be handed to somebody who was not there. It is a function of the case alone, without
chance: made again from the same case it is the same to the byte, so `check` finds whatever changed since. The clock
says only which decisions are over by then, in decisions.json.

    summary.md       the paragraph, sentence by sentence, with what each rests on
    rows.csv         the rows of the exports behind them: file, its SHA-256, line; `sentences` says of which
    ring.json        all that the run found of the ring, as `linkage ring --json`
    decisions.json   the ring's status and what people decided
    manifest.json    case, run, its parameters and versions; the files that went in; SHA-256 of the packet's other files
"""

import csv
import hashlib
import io
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from linkage import audit, files, store
from linkage.errors import InputError, NotFoundError, UsageError, translate
from linkage.results import RunRow, newest_run
from linkage.results import ring as ring_named
from linkage.ring_why import RingWhy, ring_why
from linkage.sources import SourceRow, sources
from linkage.summary import Sentence
from linkage.text import inert, safe

SCHEMA: Final = "linkage.packet/1"
MANIFEST: Final = "manifest.json"

ROWS: Final = 20
"""Rows of each value and account, the earliest; `total` says how many there are."""

# What a sentence rests on beside evidence, as `sources.FACTS` calls it.
_FACTS: Final = {"sign_ups": "sign_up", "bans": "status", "organisations": "org"}

_COLUMNS: Final = (
    "sentences", "kind", "value", "label", "account_id", "table", "column", "file", "sha256", "line", "at", "total",
    "note",
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """Something that is not as the packet says; `what` is a file of the packet, of the exports, or `run`."""

    what: str
    how: str


def write(case: Path, name: str, folder: Path, *, limit: int = ROWS) -> list[Path]:
    """Write a ring's packet into a folder, which is made if need be; only its owner may read the files.

    Args:
        case: the case file.
        name: a ring, as in `results.ring`.
        folder: an empty or new folder, or one that holds an earlier packet of the same ring.
        limit: at most so many rows of each value and account.

    Returns:
        the files, the manifest last: it is written last, so that an interrupted packet has none.

    Raises:
        NotFoundError: no such ring, several, or no run yet.
        UsageError: the folder holds something else.
        LinkageError: as `store.reading`; the folder cannot be written.
    """
    made = _packet(case, name, limit)
    ring_id = json.loads(made[MANIFEST])["ring_id"]
    audit.note(case, "packet", {"ring": ring_id})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in folder.iterdir())
        if there and (MANIFEST not in there or _manifest(folder)["ring_id"] != ring_id):
            raise UsageError(f"{folder} holds something else.", "Name a new folder for the packet.")
        (folder / MANIFEST).unlink(missing_ok=True)
        for file, content in made.items():
            files.replace(folder / file, content, private=True)
    except OSError as exc:
        raise translate(exc, f"writing {folder}") from None
    return [folder / file for file in made]


def check(case: Path, folder: Path, exports: Path | None = None, name: str | None = None) -> list[Difference]:
    """Make the packet in a folder again and compare it; nothing is written.

    Args:
        case: the case file.
        folder: the packet.
        exports: where the files lie that went in; each that backs a row is hashed, too.
        name: the ring that the packet must be of, as in `results.ring`; by default whichever it is of.

    Returns:
        what differs; empty if nothing does.

    Raises:
        InputError: the folder holds no whole packet.
        NotFoundError: no such ring as `name`.
        UsageError: the packet is of another ring than `name`.
        LinkageError: as `store.reading`.
    """
    manifest = _manifest(folder)
    if name is not None and (ring := ring_named(case, name).ring.ring_id) != manifest["ring_id"]:
        raise UsageError(
            f"{folder} is a packet of ring {safe(manifest['ring_id'])}, not of {ring}.", "Leave RING out to check it."
        )
    found: list[Difference] = []
    try:
        for file, sha256 in manifest["files"].items():
            path = folder / Path(file).name
            if not path.is_file():
                found.append(Difference(file, "is missing"))
            elif files.sha256(path) != sha256:
                found.append(Difference(file, "was changed since the packet was made"))
        found += _exports(manifest, exports) if exports else []
    except OSError as exc:
        raise translate(exc, f"reading {folder}") from None
    try:
        made = _packet(case, manifest["ring_id"], manifest["rows"])
    except NotFoundError as exc:
        return [*found, Difference("run", f"the case does not give it again: {exc.message}")]
    again = json.loads(made[MANIFEST])
    if again["case_id"] != manifest["case_id"]:
        return [*found, Difference("run", "the packet is of another case")]
    if again["run"] != manifest["run"]:
        found.append(Difference("run", f"the packet is of run {manifest['run']}, the case has run {again['run']}"))
    for file, sha256 in manifest["files"].items():
        if again["files"].get(file) != sha256:
            found.append(Difference(file, "comes out otherwise from the case"))
    return found


def _packet(case: Path, name: str, limit: int) -> dict[str, bytes]:
    """The content of each file by its name, the manifest last."""
    why = ring_why(case, name)
    ring = why.found.ring
    rows = sources(case, ring.ring_id, limit=limit)
    with store.reading(case) as con:
        case_id = store.meta(con, "case_id")
        run = newest_run(con, case)
        inputs = con.execute('SELECT name, "table", sha256, bytes, rows FROM files ORDER BY file').fetchall()
    body = asdict(why)
    decisions = {
        "status": body["found"]["ring"].pop("status"),
        **{name: body["found"].pop(name) for name in ("decision", "decisions")},
    }
    made = {
        "summary.md": _summary(why, run),
        "rows.csv": _rows(why.summary, rows),
        "ring.json": _json({"schema": "linkage.ring/1", **body.pop("found"), **body}),
        "decisions.json": _json({"schema": "linkage.decisions/1", **decisions}),
    }
    manifest = {
        "schema": SCHEMA,
        "ring_id": ring.ring_id,
        "case_id": case_id,
        "run": run.run,
        "parameters": run.parameters,
        "versions": run.versions,
        "rows": limit,
        "inputs": [dict(zip(("name", "table", "sha256", "bytes", "rows"), row, strict=True)) for row in inputs],
        "files": {file: _sha256(content) for file, content in made.items()},
    }
    return {**made, MANIFEST: _json(manifest)}


def _summary(why: RingWhy, run: RunRow) -> bytes:
    ring = why.found.ring
    lines = [
        f"# Ring {ring.ring_id}",
        "",
        f"Score {ring.score:.4f}, {ring.accounts:,} accounts, run {run.run}.",
        "A ring is a lead for a person, no verdict.",
        "",
    ]
    for number, sentence in enumerate(why.summary, 1):
        rests = [*_of_kinds(sentence), *sentence.facts]
        lines += [f"{number}. {_plain(sentence.text)}", f"   - rests on: {', '.join(rests) or 'the score'}"]
    lines += [
        "",
        f"Doubts: {_plain(ring.doubts) or 'none stated'}",
        "",
        "Check it: linkage ring --packet . --check",
        "",
    ]
    return "\n".join(lines).encode(errors="surrogatepass")


def _of_kinds(sentence: Sentence) -> list[str]:
    counts: dict[str, int] = {}
    for kind, _ in sentence.evidence:
        counts[kind] = counts.get(kind, 0) + 1
    return [f"{count:,} × {_plain(kind)}" for kind, count in counts.items()]


def _plain(text: str) -> str:
    """Text of an export in a page of Markdown: no markup, no control characters."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|!" else letter for letter in safe(text))


def _rows(told: tuple[Sentence, ...], rows: list[SourceRow]) -> bytes:
    of: dict[tuple[str, str], list[int]] = {}
    of_fact: dict[str, list[int]] = {}
    for number, sentence in enumerate(told, 1):
        for value in sentence.evidence:
            of.setdefault(value, []).append(number)
        for fact in sentence.facts:
            of_fact.setdefault(_FACTS.get(fact, fact), []).append(number)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        numbers = of.get((row.kind, row.value)) or of_fact.get(row.kind) or []
        cells = [" ".join(map(str, numbers)), *(_cell(getattr(row, column)) for column in _COLUMNS[1:])]
        writer.writerow(cells)
    return text.getvalue().encode(errors="surrogatepass")


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return "" if value is None else inert(str(value))


def _json(document: dict[str, Any]) -> bytes:
    def plain(value: object) -> str:
        return value.isoformat() + "Z" if isinstance(value, datetime) else str(value)

    return (json.dumps(document, indent=1, default=plain) + "\n").encode()


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        kinds = {"ring_id": str, "case_id": str, "run": int, "rows": int, "inputs": list, "files": dict}
        if manifest["schema"] == SCHEMA and all(isinstance(manifest[name], kind) for name, kind in kinds.items()):
            return dict(manifest)
    except FileNotFoundError:
        raise InputError(f"{folder} holds no whole packet.", "Make it: linkage ring RING --packet DIR") from None
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InputError(f"{path} is no packet's manifest.", "Make it anew: linkage ring RING --packet DIR")


def _exports(manifest: dict[str, Any], folder: Path) -> list[Difference]:
    """Input files that are not as they were; one that went in under several names is looked for by each."""
    if not folder.is_dir():
        raise NotFoundError(f"There is no folder {folder}.", "Name the one with the exports.")
    there: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            there.setdefault(path.name, []).append(path)
    found = []
    for known in manifest["inputs"]:
        name = str(known["name"])
        paths = there.get(Path(name).name, [])
        if not paths:
            found.append(Difference(name, f"is not in {folder}"))
        elif all(files.sha256(path) != known["sha256"] for path in paths):
            found.append(Difference(name, "is not the file that went in"))
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
