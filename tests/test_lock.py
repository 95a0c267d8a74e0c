"""The lock holds what pyproject.toml asks for, and its check finds what differs."""

import importlib.util
import re
import tomllib
from importlib.metadata import PathDistribution
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_house import ROOT

LOCK = ROOT / "requirements.lock"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_lock", ROOT / ".ci" / "check_lock.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_is_locked_by_hash_and_no_host_is_named(check: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in asked}
    locked = check.locked(LOCK)
    assert names <= locked.keys()
    text = LOCK.read_text()
    assert "://" not in text and "index" not in text
    for entry in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def installed(folder: Path, name: str, licence: str, content: bytes = b"x = 1\n") -> PathDistribution:
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: {licence}\n")
    # SHA-256 of b"x = 1\n".
    (about / "RECORD").write_text(
        f"{name}.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\n{name}-1.0.dist-info/RECORD,,\n"
    )
    (folder / f"{name}.py").write_bytes(content)
    return PathDistribution(about)


def test_the_check_tells_what_differs(check: ModuleType, tmp_path: Path) -> None:
    lock = {"good": {"1.0"}, "older": {"2.0"}, "shut": {"1.0"}, "touched": {"1.0"}}
    found = check.faults(
        [
            installed(tmp_path, "good", "MIT"),
            installed(tmp_path, "older", "Apache-2.0"),
            installed(tmp_path, "shut", "Proprietary"),
            installed(tmp_path, "touched", "BSD", b"x = 2\n"),
            installed(tmp_path, "unknown", "ISC"),
        ],
        lock,
    )
    assert found == [
        "older 1.0 is installed, and the lock has 2.0",
        "shut has no licence that is known to be permissive: Proprietary",
        "touched: touched.py was changed",
        "unknown 1.0 is installed, and the lock has none",
    ]
