"""Ingest: export files into the contract tables of a case.

The road of one file: `sources` finds it, `stage` reads it through the expressions of `projection` and `normalise`,
`lines` finds where its broken rows stand, `merge` puts it into the case; `load` holds them together.
"""

from linkage.ingest.load import ingest
from linkage.ingest.rejects import RejectRow, export_rejects, rejects
from linkage.ingest.report import FileReport, IngestReport, Progress

__all__ = ["FileReport", "IngestReport", "Progress", "RejectRow", "export_rejects", "ingest", "rejects"]
