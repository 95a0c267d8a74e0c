"""What null models take: processor seconds of drawing one and of searching one, for worlds of noise.

python benchmarks/significance.py [--accounts 60000 1000000]
"""

import argparse
import resource
import sys
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from linkage.significance import rewired  # noqa: E402
from tests.noise import noise, search, strangers  # noqa: E402

DENSITY = 0.3


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[60_000, 1_000_000])
    found = partial(search, strangers(1, 500))
    # The first call compiles.
    found(rewired(noise(1, 500), 1))
    for accounts in parser.parse_args().accounts:
        s, people = noise(1, accounts, DENSITY), strangers(1, accounts)
        began = time.process_time()
        real, _ = search(people, s)
        searched = time.process_time()
        null = rewired(s, 1)
        drawn = time.process_time()
        strength, _ = search(people, null)
        done = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        sys.stdout.write(
            f"{accounts:,} accounts, {len(s.account):,} shared and {len(s.alone.account):,} other sightings: the "
            f"search itself {searched - began:.1f} s ({len(real):,} groups), draw a null model "
            f"{drawn - searched:.1f} s, search it {done - drawn:.1f} s ({len(strength):,} groups), peak {peak:,} MiB\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
