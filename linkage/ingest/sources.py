"""Which files go in, as which table, in which format."""

import gzip
import io
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, cast

import zstandard

from linkage.errors import InputError, NotFoundError, UsageError, translate
from linkage.files import sha256
from linkage.model import TABLES

Format = Literal["csv", "tsv", "jsonl", "parquet"]
Compression = Literal["none", "gzip", "zstd"]

_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_COMPRESSIONS: Final[dict[str, Compression]] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class Source:
    """One file to ingest.

    Attributes:
        path: where it lies.
        table: the contract table that it holds.
        format, compression: how to read it.
    """

    path: Path
    table: str
    format: Format
    compression: Compression

    @property
    def size(self) -> int:
        """Size on disk."""
        return self.path.stat().st_size

    @property
    def pattern(self) -> str:
        """The path for DuckDB, which would take `logins[1].csv` for a pattern and read `logins1.csv`."""
        return "".join(f"[{char}]" if char in "*?[" else char for char in str(self.path))

    def digest(self) -> str:
        """SHA-256 of the file as it lies on disk: its identity."""
        return sha256(self.path)

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """The plain text of a CSV, TSV or JSON Lines file, as bytes."""
        if self.compression == "zstd":
            # The library's own reader has no readline.
            return io.BufferedReader(zstandard.open(self.path, "rb"))
        if self.compression == "gzip":
            return cast("IO[bytes]", gzip.open(self.path, "rb"))
        return self.path.open("rb")


def check_whole(source: Source) -> None:
    """Zstandard readers take a file that is cut off for one that ends there: look for the end of its last frame.

    Raises:
        EOFError: the file is cut off.
        zstandard.ZstdError: it is no Zstandard file.
    """
    if source.compression != "zstd":
        return
    frame = zstandard.ZstdDecompressor().decompressobj()
    with source.path.open("rb") as file:
        while data := file.read(1 << 20):
            while data:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                frame.decompress(data)
                data = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError("cut off")


def find_sources(paths: Sequence[Path], table: str | None = None) -> tuple[list[Source], list[Path]]:
    """The files that `paths` name, folders searched to their bottom, in a fixed order, each once.

    Args:
        paths: files and folders.
        table: the table of all files; from each file's name if None.

    Returns:
        the sources, and the files in folders that no table's name fits.

    Raises:
        NotFoundError: a path that does not exist.
        InputError: a file of unknown table or format that was named itself, or nothing at all to ingest.
        UsageError: `table` is no table.
    """
    if table is not None and table not in TABLES:
        raise UsageError(f"There is no table {table!r}.", f"Choose one of: {', '.join(TABLES)}.")
    found: dict[Path, Source] = {}
    passed_over: list[Path] = []
    for path in paths:
        if not path.exists():
            raise NotFoundError(f"No such file or folder: {path}.")
        if path.is_dir():
            for file in _files_below(path):
                source = _source(file, table)
                if source is None:
                    passed_over.append(file)
                else:
                    found.setdefault(file.resolve(), source)
            continue
        source = _source(path, table)
        if source is None:
            raise _unknown(path)
        if not path.is_file():
            # It is read more than once: for its digest, its rows, and the lines of its rejects.
            raise InputError(f"{path} is a pipe or device, not a file.", "Write it to a file first.")
        found.setdefault(path.resolve(), source)
    if not found:
        where = ", ".join(str(path) for path in paths) or "no path"
        raise InputError(
            f"No export in {where}: no file is named after a table ({', '.join(TABLES)}) and ends in "
            f"{', '.join(_FORMATS)}.",
            "Rename the files, or name them one by one with --table.",
        )
    return sorted(found.values(), key=lambda source: (source.table, str(source.path))), passed_over


def _files_below(folder: Path) -> list[Path]:
    def refuse(exc: OSError) -> None:
        # `rglob` would pass over a folder that it may not read, and its exports would be missed without a word.
        raise translate(exc, f"looking into {folder}") from None

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def _source(path: Path, table: str | None) -> Source | None:
    form, chosen = format_of(path.name), table or table_of(path.name)
    return Source(path, chosen, form, _packing(path.name.lower())[1]) if form and chosen else None


def format_of(name: str) -> Format | None:
    """The format that a file's name says, packed or not; None if it is none that we read."""
    plain, compression = _packing(name.lower())
    form = _FORMATS.get("".join(plain.rpartition(".")[1:]))
    return None if form == "parquet" and compression != "none" else form


def table_of(name: str) -> str | None:
    """The longest table name that a file's name starts with."""
    return max((table for table in TABLES if name.lower().startswith(table)), key=len, default=None)


def _packing(name: str) -> tuple[str, Compression]:
    for suffix, kind in _COMPRESSIONS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), kind
    return name, "none"


def _unknown(path: Path) -> InputError:
    if _source(path, "accounts") is None:
        return InputError(
            f"{path} is in no format that linkage reads.",
            f"Use {', '.join(_FORMATS)}; all but Parquet may also end in .gz or .zst.",
        )
    return InputError(
        f"{path} is named after no table ({', '.join(TABLES)}).", "Say which with --table, e.g. --table logins."
    )
