"""What `linkage ingest` shows instead of reading: how it would, and which sources it knows."""

from collections.abc import Sequence
from pathlib import Path

from linkage.commands.common import fail, note, print_json, tell
from linkage.errors import ExitCode


def print_presets(*, as_json: bool) -> None:
    """The sources whose exports are known."""
    from linkage.ingest import presets

    rows = [
        {
            "preset": preset.name,
            "title": preset.title,
            "tables": [reading.table for reading in preset.readings],
            "account": preset.account,
            "export": preset.export,
            "source": preset.source,
        }
        for preset in presets().values()
    ]
    if as_json:
        print_json("presets", rows)
        return
    from linkage.output import Page

    cells = [(row["preset"], ", ".join(row["tables"]), f"{row['title']}: {row['export']}") for row in rows]
    Page().table([("preset", "left"), ("tables", "left"), ("export", "prose")], cells)
    note("They are recognised by their columns; where these do not tell: linkage ingest --preset NAME FILE")


def print_explained(
    paths: Sequence[Path | str], *, table: str | None, preset: str | None, maps: Sequence[str], as_json: bool
) -> int:
    """How each file would be read."""
    from linkage.ingest import explain
    from linkage.output import Page

    shown = explain(paths, table=table, preset=preset, maps=maps)
    refused = any(one.error for one in shown)
    if as_json:
        print_json("explain", shown)
        return ExitCode.INPUT if refused else ExitCode.DONE
    page = Page()
    for one in shown:
        if one.error:
            fail(f"Error: {one.error}")
            continue
        what = f" of {one.preset}: {one.why}" if one.preset else ""
        tell(f"{one.path}: {one.table}{what}")
        headings = [("column", "left"), ("from", "left"), ("the first rows, as they would be kept", "prose")]
        cells = [(line.column, line.source, " · ".join(value or "–" for value in line.values)) for line in one.lines]
        page.table(headings, cells)
        for at, fault in enumerate(one.faults, start=1):
            if fault:
                note(f"Row {at} would be set aside: {fault}")
        if one.ignored:
            note(f"Ignored columns: {', '.join(one.ignored)}")
    note("Nothing was written.")
    return ExitCode.INPUT if refused else ExitCode.DONE
