"""Fill the transcripts of README.md and docs/tutorial.md with what the commands print: `python docs/transcript.py`, or
`make docs`.

Tests run this too and compare, so that the pages cannot drift from the program. A block that is marked `neo4j` needs an
empty Neo4j, which LINKAGE_NEO4J_URI and what belongs to it lead to; without one it stays as it is.
"""

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from linkage.commands import run
from linkage.sample import copy_to

DOCS: Final = Path(__file__).resolve().parent
PAGES: Final = (DOCS.parent / "README.md", DOCS / "tutorial.md")
_NOW: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?=, on run)")
_BLOCK: Final = re.compile(r"(<!-- transcript(?P<neo4j>: neo4j)? -->\n```console\n)(.*?)(```\n<!-- end -->)", re.DOTALL)


def filled(text: str, neo4j: dict[str, str] | None = None) -> str:
    """`text` with the output below each `$ linkage …` line of its transcripts, run in order in one folder.

    Args:
        text: a page; the folder that it starts in holds the sample export, `exports`.
        neo4j: the variables that lead to an empty Neo4j; without them blocks that need one are left alone.

    Raises:
        RuntimeError: a command failed.
    """

    def fill(match: re.Match[str]) -> str:
        if match["neo4j"] and neo4j is None:
            return match[0]
        lines = []
        for line in match[3].splitlines():
            if line.startswith("$ "):
                said = _output(shlex.split(line)[2:], neo4j if match["neo4j"] else None)
                lines += [line, *(_usual(line, neo4j or {}) for line in said)]
        return match[1] + "".join(f"{line}\n" for line in lines) + match[4]

    with tempfile.TemporaryDirectory() as folder:
        copy_to(Path(folder) / "exports")
        with contextlib.chdir(folder):
            return _BLOCK.sub(fill, text)


def _usual(line: str, neo4j: dict[str, str]) -> str:
    """What differs from one run to the next, as it is in the story: when it was decided, the ports; long links cut."""
    line = re.sub(r"(&arg=.{40}).*", r"\1…", _NOW.sub("2026-03-16 09:40", line))
    for name, usual in (("URI", 7687), ("BROWSER", 7474)):
        if here := neo4j.get(f"LINKAGE_NEO4J_{name}"):
            line = re.sub(rf"(127\.0\.0\.1|localhost):{urlsplit(here).port}\b", f"localhost:{usual}", line)
    return line


@contextlib.contextmanager
def _alone(more: dict[str, str] | None) -> Iterator[None]:
    """Work with no setting of the machine's."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith(("LINKAGE_", "COLUMNS"))]:
        del os.environ[name]
    # No Neo4j of the machine's is written to; the key decides nothing but the hashes that are shown.
    os.environ["LINKAGE_NEO4J_HOME"] = str(Path.cwd() / "no-neo4j")
    os.environ["LINKAGE_PEPPER"] = "the pepper of the README"
    os.environ.update(more or {})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _output(words: list[str], neo4j: dict[str, str] | None) -> list[str]:
    out, said = io.StringIO(), io.StringIO()
    with _alone(neo4j), contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = run(words)
    if code:
        raise RuntimeError(f"linkage {shlex.join(words)} exits with {code}: {said.getvalue()}")
    return [line.rstrip() for line in out.getvalue().splitlines()]


if __name__ == "__main__":
    known = {name: value for name, value in os.environ.items() if name.startswith("LINKAGE_NEO4J_")}
    for page in PAGES:
        page.write_text(filled(page.read_text(), known if "LINKAGE_NEO4J_URI" in known else None))
