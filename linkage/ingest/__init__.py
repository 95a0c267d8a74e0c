"""Ingest: export files into the contract tables of a case.

The road of one file: `find` says what it is, by its name or, with `recognise`, by its columns; `layout` or, where its
columns are another system's, `mapped` says how to read it; `stage` reads it through the expressions of `projection`
and `normalise`, `lines` finds where its rows stand, `merge` puts it into the case; `load` holds them together. A table
of a database goes the same road: `address` says where it is, `postgres` connects, and `relation` stands for the file.
"""

from linkage.ingest.address import has_password
from linkage.ingest.aliases import Joins, joins
from linkage.ingest.explain import Explained, explain
from linkage.ingest.load import ingest
from linkage.ingest.mapping import Preset, presets
from linkage.ingest.rejects import RejectRow, export_rejects, rejects
from linkage.ingest.report import FileReport, IngestReport, Progress

__all__ = [
    "Explained",
    "FileReport",
    "IngestReport",
    "Joins",
    "Preset",
    "Progress",
    "RejectRow",
    "explain",
    "export_rejects",
    "has_password",
    "ingest",
    "joins",
    "presets",
    "rejects",
]
