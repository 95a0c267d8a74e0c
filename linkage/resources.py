"""Folders that come with the package: Cypher schema and queries.

In a wheel they lie in `linkage/_bundled/`; in a checkout or an editable install beside the package, which is trusted
only where a `pyproject.toml` lies.
"""

from pathlib import Path

from linkage.errors import LinkageError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `graph_schema` or `queries`.

    Raises:
        LinkageError: the installation is incomplete.
    """
    bundled = _PACKAGE / "_bundled" / name
    if bundled.is_dir():
        return bundled
    beside = _PACKAGE.parent / name
    if beside.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return beside
    raise LinkageError(
        f"The folder {name} is missing from this installation.", "Install again: pip install account-linkage"
    )
