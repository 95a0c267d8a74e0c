"""Make the picture of the README: `python docs/pictures.py`, or `make pictures`.

The sample goes the way of the user's story: a real server, Neo4j Browser in a real Chromium.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from linkage import results, server  # noqa: E402
from linkage.detect import detect  # noqa: E402
from linkage.graph import Target, publish  # noqa: E402
from linkage.graph.browser import ring_page, write_guide  # noqa: E402
from linkage.ingest import ingest  # noqa: E402
from linkage.sample import FOLDER  # noqa: E402
from tests.chromium import log_in, page, picture, run  # noqa: E402
from tests.neo4j_server import guarded  # noqa: E402

IMAGES = ROOT / "docs" / "images"
RING = 4
"""The ring that the README shows."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        case, home = Path(folder) / "case.duckdb", Path(folder) / "neo4j"
        ingest([FOLDER], case)
        detect(case)
        with guarded(home):
            up = server.up(home)
            where = Target(up.bolt_url, up.user, up.password, browser=up.http_url, web=up.web)
            publish(case, where)
            ring = results.ring(case, str(RING)).ring
            opened = ring_page(where, ring)
            write_guide(where, ring, opened)
            with page(1400, 900) as shown:
                log_in(shown, opened.url, up.password)
                shown.locator(f"h3:has-text('{ring.ring_id}')").wait_for()
                run(shown)
                picture(shown, IMAGES / "ring.png")


if __name__ == "__main__":
    main()
