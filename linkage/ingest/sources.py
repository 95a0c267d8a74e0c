"""A file, the table that it is read as, and how."""

import gzip
import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, cast

import zstandard

from linkage.files import sha256
from linkage.ingest.mapping import Preset, Reading

if TYPE_CHECKING:
    from linkage.ingest.relation import Relation

Format = Literal["csv", "tsv", "json", "jsonl", "parquet", "log", "relation"]
Compression = Literal["none", "gzip", "zstd"]

MAX_LINE: Final = 16 << 20
"""The longest line that is read, in bytes; longer ones are rejected."""


@dataclass(frozen=True)
class Source:
    """One file to ingest, or one table of a database.

    Attributes:
        path: where it lies; of a table, a name for people that leads nowhere.
        table: the contract table that it holds.
        format, compression: how to read it.
        reading: how its columns become the contract's; None where they are those.
        preset: what it was recognised as.
        why: by what.
        relation: the table of a database that takes the place of a file.
    """

    path: Path
    table: str
    format: Format
    compression: Compression
    reading: Reading | None = None
    preset: Preset | None = None
    why: str = ""
    relation: "Relation | None" = None

    @property
    def size(self) -> int:
        """Size on disk; of a table, of its rows, once its digest is known."""
        return self.relation.size if self.relation else self.path.stat().st_size

    def digest(self) -> str:
        """What tells its content from any other.

        Raises:
            OSError: the file cannot be read.
            LinkageError: nor can the table.
        """
        return self.relation.digest() if self.relation else sha256(self.path)

    @property
    def pattern(self) -> str:
        """The path for DuckDB, which would take `logins[1].csv` for a pattern and read `logins1.csv`."""
        return "".join(f"[{char}]" if char in "*?[" else char for char in str(self.path))

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
