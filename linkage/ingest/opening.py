"""The case that an ingest goes into: made, taken away if nothing comes of it, and the rules that it is kept by."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from linkage import audit, store
from linkage.errors import CaseBusyError, InputError, translate
from linkage.ingest.normalise import DERIVED_KINDS, Rules
from linkage.secret import Key, key_file

_ALWAYS_HASHED: Final = frozenset({"email", "phone", "prompt"})


@contextmanager
def case_for(case: Path, *, keep: bool) -> Iterator[Path]:
    """Make the case if it is missing, and take it and its key away again if nothing comes of it.

    Args:
        case: where it lies or is made.
        keep: leave a new case there when the block ends well.
    """
    existed, had_key = case.exists(), key_file(case).exists()
    if not existed:
        if not case.parent.is_dir():
            raise translate(FileNotFoundError(2, "No such folder", str(case.parent)), f"making the case file {case}")
        existed = not store.create(case)
    else:
        with store.reading(case):
            pass
        if keep:
            store.settle(case)
    kept = False
    try:
        yield case
        kept = keep
    finally:
        if not existed and not kept:
            # Another process may be filling it by now.
            with suppress(CaseBusyError):
                _take_away(case, with_key=not had_key)


def _take_away(case: Path, *, with_key: bool) -> None:
    """Remove a case that holds nothing, while nobody else can write to it."""
    with store.writing(case) as con:
        if con.execute("SELECT 1 FROM files LIMIT 1").fetchone():
            return
        case.unlink()
        if with_key:
            key_file(case).unlink(missing_ok=True)
    case.with_name(case.name + ".wal").unlink(missing_ok=True)


def rules_of(case: Path, hash_kinds: Sequence[str], keep_skeletons: bool) -> Rules:
    """What is hashed: what the case was made with, or `hash_kinds` if it holds nothing yet."""
    wanted = frozenset(kind.strip().lower() for kind in hash_kinds if kind.strip()) - _ALWAYS_HASHED
    bad = sorted(kind for kind in wanted if not kind.replace("_", "").replace("-", "").replace(".", "").isalnum())
    if bad:
        raise InputError(f"{bad[0]!r} is no identifier kind.", "Kinds are plain names, e.g. payment, device, ip.")
    derived = sorted(wanted.intersection(DERIVED_KINDS))
    if derived:
        raise InputError(
            f"{derived[0]} is worked out by linkage and is not hashed.", "Hash what it comes from, e.g. ip or payment."
        )
    with store.reading(case) as con:
        stored = frozenset(filter(None, store.meta(con, "hashed_kinds").split(",")))
        skeletons = keep_skeletons or store.meta(con, "keep_skeletons") == "1"
        # A run by Spark leaves no files, and identifiers as they were.
        filled = con.execute("SELECT 1 FROM files UNION ALL SELECT 1 FROM runs LIMIT 1").fetchone() is not None
    if filled and wanted and wanted != stored:
        raise InputError(
            f"{case} was made with --hash {','.join(sorted(stored)) or '(nothing)'}, which cannot change any more.",
            "Ingest into a new case: linkage ingest --case NEW --hash … PATH…",
        )
    return Rules(stored if filled else wanted, skeletons)


def remember(case: Path, keep_private_ips: bool, key: Key) -> bool:
    """Whether private addresses are evidence, for good once it was said."""
    with store.reading(case) as con:
        kept = store.meta(con, "keep_private_ips") == "1"
    if keep_private_ips and not kept:
        with store.writing(case) as con:
            store.set_meta(con, "keep_private_ips", "1")
            audit.extend(con, key, "ingest", {"keep_private_ips": True})
        audit.copy(case)
    return kept or keep_private_ips
