"""Fill the transcripts of README.md with what the commands print: `python docs/transcript.py`, or `make docs`.

A test runs this too and compares, so that the README cannot drift from the program.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from linkage.sample import copy_to

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"(<!-- transcript -->\n```console\n)(.*?)(```\n<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """`text` with the output below each `$ linkage …` line of its transcripts, run in order on the sample export."""
    with tempfile.TemporaryDirectory() as folder:
        copy_to(Path(folder) / "exports")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LINKAGE_", "COLUMNS"))}
        # No Neo4j of the machine's is written to.
        environment["LINKAGE_NEO4J_HOME"] = str(Path(folder) / "no-neo4j")
        # The key decides nothing but the hashes that are shown.
        environment["LINKAGE_PEPPER"] = "the pepper of the README"

        def run(match: re.Match[str]) -> str:
            lines = []
            for line in match[2].splitlines():
                if line.startswith("$ "):
                    lines += [line, *_output(line[2:].split(), folder, environment)]
            return match[1] + "".join(f"{line}\n" for line in lines) + match[3]

        return _BLOCK.sub(run, text)


def _output(command: list[str], folder: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return [line.rstrip() for line in done.stdout.splitlines()]


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
