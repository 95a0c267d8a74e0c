"""Ingest against DuckDB alone, on the same generated exchanges, in the same run.

    python benchmarks/ingest.py [--rows 16000000] [--prompts]

The baseline parses the CSV with `store_rejects` and writes it as Parquet. `linkage ingest` also canonicalises, hashes,
checks, deduplicates by exchange id and keeps the rows in the case. Prints seconds, their ratio, and peak memory of each
as its own process. `--prompts` gives raw prompts instead of fingerprints.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

COLUMNS = ("account_id", "at", "exchange_id", "ip", "device_id", "user_agent", "model", "prompt", "input_tokens",
    "output_tokens")  # fmt: skip


def main() -> None:
    """Generate, time the baseline and the ingest, print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=16_000_000)
    parser.add_argument("--prompts", action="store_true", help="raw prompts instead of fingerprints")
    parser.add_argument("--baseline", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.baseline:
        baseline(options.baseline)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export = folder / "exchanges.csv"
        generate(export, options.rows, prompts=options.prompts)
        print(f"{options.rows:,} exchanges, {export.stat().st_size / 1e9:.2f} GB of CSV")
        # The file is in the page cache for both.
        alone, alone_mib = timed([sys.executable, __file__, "--baseline", str(export)])
        ours, ours_mib = timed(
            [sys.executable, "-m", "linkage", "ingest", str(export), "--case", str(folder / "case.duckdb")]
        )
    print(f"DuckDB alone:   {alone:7.1f} s {alone_mib:8,.0f} MiB")
    print(f"linkage ingest: {ours:7.1f} s {ours_mib:8,.0f} MiB   {ours / alone:.2f} times as long")


def generate(path: Path, rows: int, *, prompts: bool) -> None:
    """Exchanges of rows/16 accounts over rows/8 addresses."""
    accounts, addresses = max(rows // 16, 1), max(rows // 8, 1)
    prompt = "'Summarise document ' || i || ' in plain English, with three examples.'" if prompts else "md5(i::VARCHAR)"
    name = "prompt" if prompts else "prompt_fingerprint"
    with duckdb.connect() as con:
        con.execute(
            f"""COPY (SELECT 'acct_' || (hash(i) % {accounts}) AS account_id,
            strftime(TIMESTAMP '2026-01-01' + to_seconds((i % 3888000)::BIGINT), '%Y-%m-%dT%H:%M:%SZ') AS at_time,
            'x_' || i AS exchange_id,
            (11 + h % 180) || '.' || (h // 180 % 250) || '.' || (h // 45000 % 250) || '.' || (h % 250) AS ip,
            'dev_' || (hash(i) % {2 * accounts}) AS device_id, 'sdk/' || (i % 40) AS user_agent,
            'large-' || (i % 3) AS model, {prompt} AS {name}, i % 900 AS input_tokens, i % 2000 AS output_tokens
            FROM (SELECT i, (hash(i + 1) % {addresses})::BIGINT AS h FROM range({rows}) t(i)))
            TO '{path}' (HEADER false)"""
        )
    header = ",".join(name if column == "prompt" else column for column in COLUMNS)
    body = path.with_suffix(".body")
    path.rename(body)
    path.write_text(header + "\n")
    subprocess.run(f"cat '{body}' >> '{path}' && rm '{body}'", shell=True, check=True)


def baseline(export: Path) -> None:
    """What DuckDB takes alone."""
    out = export.with_suffix(".parquet")
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * FROM read_csv('{export}', header = true, store_rejects = true)) TO '{out}'")
    out.unlink()


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - started, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
