"""Questions as text for Neo4j Browser: parameters as Cypher literals, and the archive of saved scripts.

The driver binds parameters; Browser's addresses and saved scripts cannot. Here a value becomes a literal in which every
character outside a short list of plain ones is an escape, so that none of it ends the string, is taken for a comment or
a second statement, or cuts the address (`&`, `#`).
"""

import io
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from linkage.errors import UsageError, translate
from linkage.files import replace
from linkage.graph.binding import read
from linkage.graph.questions import NAMED, Question

FOLDERS: Final = {"table": "linkage tables", "graph": "linkage pictures", "audit": "linkage audits"}

_PLAIN: Final = re.compile(r"[A-Za-z0-9 _.,:@+=-]")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def literal(value: Any) -> str:
    r"""A value as Cypher writes it.

    >>> literal("it's"), literal(["a", 1]), literal(None)
    ("'it\\'s'", "['a', 1]", 'null')

    Raises:
        UsageError: the text holds half a surrogate pair, or the number is not finite.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, datetime):
        return f"datetime('{value.astimezone(UTC).isoformat()}')"
    if isinstance(value, str):
        return f"'{_escaped(value)}'"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(literal, value))}]"
    raise UsageError(f"A {type(value).__name__} cannot be written in Cypher.", "Give a text, a number or a time.")


def _escaped(text: str) -> str:
    # Cypher 5 decodes \uXXXX before it reads anything else: an escaped quote would end the string, so quote and
    # backslash are escaped with a backslash. The letter after a backslash is an escape itself, or a typed \u0027 would
    # be decoded.
    out: list[str] = []
    for at, char in enumerate(text):
        if char in "'\\":
            out.append("\\" + char)
        elif (at and text[at - 1] == "\\") or not (_PLAIN.match(char) or (ord(char) > 0x9F and char.isalpha())):
            out.append(_unicode(char))
        else:
            out.append(char)
    return "".join(out)


def _unicode(char: str) -> str:
    try:
        data = char.encode("utf-16-be")
    except UnicodeEncodeError:
        raise UsageError("A parameter holds what is no text.", "Type it again.") from None
    return "".join(f"\\u{data[at]:02X}{data[at + 1]:02X}" for at in range(0, len(data), 2))


def filled(asked: Question, values: Mapping[str, Any]) -> str:
    """The question's Cypher with these values as literals; a parameter that has none here stays `$name`."""
    return NAMED.sub(lambda found: literal(values[found[1]]) if found[1] in values else found[0], asked.cypher)


def script(asked: Question) -> str:
    """The question as a saved script: what may be left out is filled in, what must be set comes first as a comment."""
    values = {p.name: read(p, p.default) if p.need == "default" else None for p in asked.params if p.need != "required"}
    lines = [f"// {asked.title}"]
    lines += [f"// Set first: :param {p.name} => '...'   ({p.meaning})" for p in asked.params if p.need == "required"]
    lines.append(f"// Mind: {asked.false_positives}")
    return "\n".join([*lines, filled(asked, values), ""])


def saved_scripts(asked: Sequence[Question]) -> bytes:
    """A zip of folders with `.cypher` files, as Browser imports it; the same questions give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in asked:
            entry = zipfile.ZipInfo(f"{FOLDERS[one.mode]}/{one.id}.cypher", _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, script(one), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def write_saved_scripts(path: Path, asked: Sequence[Question]) -> bool:
    """Write the archive, whole or not at all; returns whether anything changed.

    Raises:
        NotFoundError: there is no such folder.
        MachineError: the place cannot be written to.
    """
    try:
        return replace(path, saved_scripts(asked))
    except OSError as exc:
        raise translate(exc, f"writing {path}") from None
