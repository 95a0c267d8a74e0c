"""What a report of 200 rings, the largest of 20,000 accounts, takes: seconds to make and to open, and its size.

python benchmarks/report.py [--rounds 5] [--pictures FOLDER]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from linkage import results, store  # noqa: E402
from linkage.detect import detect  # noqa: E402
from linkage.report import report  # noqa: E402
from tests.chromium import page  # noqa: E402

RINGS = 200
LARGEST = 20_000


def case_of_200_rings(folder: Path) -> Path:
    """A case with 200 rings of 3 to 1,000 accounts and one of 20,000, with exchanges, among as many other accounts.

    Each ring has a card for every ten accounts, overlapping with the next, a device for every five, and one address;
    its accounts sign up within hours and send the ring's three prompts at any hour.
    """
    case = folder / "rings.duckdb"
    store.create(case)
    with store.writing(case) as con:
        con.execute(
            f"""CREATE TEMP TABLE crew AS SELECT ring, i, 'r' || ring || '-' || i AS account_id, size FROM (
                SELECT r AS ring, CASE WHEN r = 0 THEN {LARGEST} ELSE 5 + r * r * 7 % 240 + (r % 10 = 0)::INT * 700 END
                AS size FROM range({RINGS}) t(r)), range({LARGEST}) s(i) WHERE i < size;
            INSERT INTO account_rows (command, account_id, created_at, banned_at, status)
                SELECT 1, account_id, TIMESTAMP '2026-01-01' + to_hours(ring % 40 * 24) + to_seconds(i * 20),
                CASE WHEN hash(account_id) % 9 = 0 THEN TIMESTAMP '2026-03-01' + to_hours((hash(account_id) % 200)::INT)
                END, 'active' FROM crew
                UNION ALL SELECT 1, 'other' || i, TIMESTAMP '2024-01-01' + to_minutes(i * 20), NULL, 'active'
                FROM range({LARGEST}) t(i);
            INSERT INTO payments (account_id, payment_id, method, added_at)
                SELECT account_id, 'card' || ring || '-' || (i + step) % size // 10, NULL, TIMESTAMP '2026-02-01'
                FROM crew, range(0, 10, 5) s(step);
            INSERT INTO logins (account_id, ip, ip_net, device_id, user_agent, "at")
                SELECT account_id, '198.51.' || ring || '.9', NULL, 'device' || ring || '-' || i // 5, NULL,
                TIMESTAMP '2026-02-10' FROM crew;
            INSERT INTO logins (account_id, ip, ip_net, device_id, user_agent, "at")
                SELECT 'other' || i, '203.0.' || i // 200 || '.' || i % 200, NULL, NULL, NULL, TIMESTAMP '2026-02-10'
                FROM range({LARGEST}) t(i);
            INSERT INTO exchanges (command, account_id, "at", prompt_fingerprint, model)
                SELECT 1, account_id, TIMESTAMP '2026-02-12' + to_minutes((hash(account_id, n) % 30000)::INT),
                'ring' || ring || '-' || n % 3, 'm' FROM crew, range(20) t(n);
            INSERT INTO exchanges (command, account_id, "at", prompt_fingerprint, model)
                SELECT 1, 'other' || i, TIMESTAMP '2026-02-12' + to_hours((hash(i, n) % 20 * 24 + i % 24)::INT)
                + to_minutes((hash(n, i) % 400)::INT), 'own' || i || '-' || n, 'm'
                FROM range({LARGEST}) t(i), range(10) s(n);"""
        )
    # By connected components, listed by score alone: the default finds one chain of 20,000 in pieces.
    detect(case, algorithm="wcc", nulls=0)
    return case


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="Keep pictures of the list and of the largest ring here.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        case = case_of_200_rings(Path(folder))
        rings = results.rings(case)
        largest = max(rings, key=lambda ring: ring.accounts)
        print(f"{len(rings)} rings with {sum(ring.accounts for ring in rings):,} accounts, {largest.accounts:,} in one")
        for at in range(given.rounds):
            path = Path(folder) / f"{at}.html"
            started, worked = time.monotonic(), time.process_time()
            made = report(case, path)
            seconds, cpu = time.monotonic() - started, time.process_time() - worked
            with page() as shown:
                started = time.monotonic()
                shown.goto(path.as_uri())
                shown.get_by_text(f"{len(rings)} of {len(rings)} rings").wait_for()
                opened = time.monotonic() - started
                started = time.monotonic()
                shown.get_by_role("link", name=largest.ring_id).click()
                shown.locator("article .graph .node").first.wait_for()
                drawn = time.monotonic() - started
                nodes = shown.locator("article .graph .node").count()
                if given.pictures:
                    given.pictures.mkdir(parents=True, exist_ok=True)
                    shown.locator("article .graph").screenshot(path=given.pictures / "largest.png")
                    shown.locator(".list").screenshot(path=given.pictures / "list.png")
            print(
                f"made in {seconds:.1f} s, {cpu:.1f} s of a processor (required under 20 s); {made.bytes / 1e6:.1f} MB "
                f"(under 15); opened in {opened:.2f} s (under 3); the largest drawn in {drawn:.2f} s, {nodes} nodes",
                flush=True,
            )


if __name__ == "__main__":
    main()
