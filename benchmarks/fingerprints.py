"""Fingerprints a second: from raw prompts to sketches and near-duplicate templates, on all cores.

    python benchmarks/fingerprints.py [--prompts 1000000] [--ingest]

The prompts have 200 to 1,500 characters, come from templates with slots, and are all distinct. Beside it stands, in
the same run, the time that Python needs to hash the same texts with SHA-256 on one core. With --ingest the whole way
follows: a Parquet file through `linkage ingest`, with the size of the case and the peak memory.
"""

import argparse
import hashlib
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.prompt_templates import throughput_prompts  # noqa: E402
from linkage.ingest import ingest  # noqa: E402
from linkage.prompts import near_duplicates  # noqa: E402
from linkage.prompts.sketch import SketchKey, sketches, values  # noqa: E402

BATCH = 2_048
"""As DuckDB hands them over."""


def main() -> None:
    """Generate, time, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=1_000_000)
    parser.add_argument("--ingest", action="store_true")
    options = parser.parse_args()
    key = SketchKey.of(b"benchmark")
    sketches(throughput_prompts(100, 0), key)  # compile
    texts = throughput_prompts(options.prompts, 1)
    characters = float(np.mean([len(text) for text in texts[:10_000].to_pylist()]))
    print(f"{len(texts):,} prompts of {characters:,.0f} characters on average, {os.cpu_count()} cores")
    started = time.perf_counter()
    for text in texts[: min(len(texts), 100_000)].to_pylist():
        hashlib.sha256(text.encode()).digest()
    hashing = (time.perf_counter() - started) / min(len(texts), 100_000)
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
        found = pa.chunked_array(list(pool.map(lambda batch: sketches(batch, key), batches)))
    sketched, sketched_cpu = time.perf_counter() - wall, time.process_time() - cpu
    whole = found.cast(pa.large_binary()).combine_chunks()
    ids = np.frombuffer(b"".join(sketch[:8] for sketch in whole.to_pylist()), "<u8").astype(np.uint64)
    near_duplicates(np.ones(1, np.uint64), np.ones(1, np.uint32), np.array([0, 1]))  # compile
    wall, cpu = time.perf_counter(), time.process_time()
    distinct, first = np.unique(ids, return_index=True)
    templates = near_duplicates(distinct, *values(whole.take(pa.array(first)), "body"))
    placed, placed_cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"sketches   {len(texts) / sketched:9,.0f} a second, {len(texts) / sketched_cpu:9,.0f} a CPU second")
    print(f"templates  {len(texts) / placed:9,.0f} a second, {len(texts) / placed_cpu:9,.0f} a CPU second")
    print(
        f"both       {len(texts) / (sketched + placed):9,.0f} a second; {len(distinct):,} distinct prompts of "
        f"{len(np.unique(templates)):,} templates"
    )
    print(f"one SHA-256 of the text {1 / hashing:9,.0f} a second on one core")
    print(f"a sketch has {whole.nbytes / len(whole):,.0f} bytes")
    if options.ingest:
        _ingest(texts)


def _ingest(texts: pa.Array) -> None:
    start = datetime(2026, 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        file, case = Path(folder) / "exchanges.parquet", Path(folder) / "case.duckdb"
        with pq.ParquetWriter(
            file, pa.schema([("account_id", pa.string()), ("at", pa.timestamp("us")), ("prompt", pa.large_string())])
        ) as writer:
            for at in range(0, len(texts), 100_000):
                part = texts[at : at + 100_000]
                rows = range(at, at + len(part))
                writer.write_table(
                    pa.table(
                        {
                            "account_id": [f"acct_{row * 7919 % 24_000:05}" for row in rows],
                            "at": pa.array([start + timedelta(seconds=row) for row in rows], pa.timestamp("us")),
                            "prompt": part,
                        }
                    )
                )
        wall = time.perf_counter()
        ingest([file], case)
        seconds = time.perf_counter() - wall
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"linkage ingest: {len(texts) / seconds:,.0f} rows a second; case {case.stat().st_size / 2**30:.2f} GiB of "
            f"{file.stat().st_size / 2**30:.2f} GiB Parquet; peak memory {peak:.1f} GiB"
        )


if __name__ == "__main__":
    main()
