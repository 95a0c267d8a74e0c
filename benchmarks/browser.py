"""How long Neo4j Browser takes to draw a ring of 20,000 accounts, from the press of Run until all nodes are there.

A local server and a Chromium are started for it.

    python benchmarks/browser.py [--rounds 5]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from linkage import results, server  # noqa: E402
from linkage.graph import Target, publish  # noqa: E402
from linkage.graph.browser import ring_page, write_guide  # noqa: E402
from tests.chromium import log_in, page, run  # noqa: E402
from tests.test_browser import ring_of_20_000  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        case = ring_of_20_000(Path(folder))
        up = server.up(Path(folder) / "neo4j")
        try:
            where = Target(up.bolt_url, up.user, up.password, browser=up.http_url, web=up.web)
            publish(case, where, scope="all")
            ring = results.rings(case)[0]
            opened = ring_page(where, ring)
            write_guide(where, ring, opened)
            for _ in range(rounds):
                with page() as shown:
                    started = time.monotonic()
                    log_in(shown, opened.url, up.password)
                    shown.locator(f"h3:has-text('{ring.ring_id}')").wait_for()
                    loaded = time.monotonic()
                    drawn = run(shown)
                    done = time.monotonic()
                print(
                    f"ring of {ring.accounts:,} accounts: page and log-in {loaded - started:.1f} s, "
                    f"drawn {done - loaded:.1f} s after (required 5), {drawn.nodes} nodes and "
                    f"{drawn.relationships} relationships (required under 300 together)",
                    flush=True,
                )
        finally:
            server.down(up.home)


if __name__ == "__main__":
    main()
