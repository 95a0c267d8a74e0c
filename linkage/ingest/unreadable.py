"""What the readers of files raise, as a sentence about the file."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from linkage.errors import InputError, MachineError, translate
from linkage.ingest.sources import Source


@contextmanager
def reading_errors(source: Source) -> Iterator[None]:
    """Turn what the readers of the block raise into a sentence about the file."""
    try:
        yield
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError) as exc:
        raise _unreadable(source, exc) from None
    except Exception as exc:
        if type(exc).__module__.partition(".")[0] in ("zlib", "zstandard"):
            raise _unreadable(source, exc) from None
        raise


def _unreadable(source: Source, exc: BaseException) -> Exception:
    error = translate(exc, f"reading {source.path}")
    if source.relation:
        return source.relation.database.failed or error
    low = str(exc).lower()
    # The machine's own refusals (full disk, permission) are not the file's fault; a bad gzip header is an OSError too.
    if isinstance(error, MachineError) and (not isinstance(exc, OSError) or exc.errno is not None):
        return error
    what = {"jsonl": "JSON Lines", "parquet": "Parquet", "log": "a text log"}.get(source.format, source.format.upper())
    if source.size == 0:
        return InputError(f"{source.path} is empty.", "Export it again.")
    # First of all: the engine quotes the value, which may say anything.
    if "invalid string encoding" in low:
        return InputError(f"{source.path} holds text that is not UTF-8.", "Export its text as UTF-8.")
    if "unexpected end" in low or isinstance(exc, EOFError) or "end-of-stream" in low or "truncated" in low:
        return InputError(f"{source.path} is cut off.", "Copy or export it again.")
    if "state machine reached an invalid state" in low:
        return InputError(
            f"{source.path} has lines of two kinds of ends, or a quote inside a value that is not doubled.",
            "Give all its lines the same end (dos2unix FILE), and export it with quotes doubled.",
        )
    packed = f" packed with {source.compression}" if source.compression != "none" else ""
    return InputError(f"{source.path} cannot be read as {what}{packed}.", "Is it what its name says? Export it again.")
