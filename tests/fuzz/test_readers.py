"""Files, values and prompts that nobody meant: read, set aside or refused, and what is beside them still goes in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkage.errors import ExitCode, LinkageError
from linkage.ingest import explain, ingest, normalise
from linkage.ingest.normalise import stored_value
from linkage.model import BUILT_IN_KINDS
from linkage.prompts.sketch import SketchKey, identified_sketches
from linkage.secret import Key
from tests.fuzz.exports import File, files
from tests.reliability import figure

pytestmark = pytest.mark.deep

TORTURE = int(os.environ.get("LINKAGE_TORTURE", "1"))
KEY = Key(b"a key of the fuzz tests, 32 bytes")

# `make test-deep` tries the same inputs each time, `make torture` others.
fuzzed = settings(
    deadline=None, database=None, derandomize=TORTURE == 1, suppress_health_check=list(HealthCheck),
    max_examples=10 * TORTURE,
)  # fmt: skip
texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=40)


@contextmanager
def counted(target: str) -> Iterator[list[int]]:
    """Leave a figure of what was tried, however it ends."""
    inputs: list[int] = []
    try:
        yield inputs
    except BaseException:
        figure("fuzz", target=target, inputs=sum(inputs), failures=1)
        raise
    figure("fuzz", target=target, inputs=sum(inputs), failures=0)


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl", "log", "parquet"])
def test_files_are_read_or_refused(form: str) -> None:
    with counted(f"{form} files") as inputs:

        @fuzzed
        @given(st.lists(files(form), min_size=8, max_size=12))
        def read(found: list[File]) -> None:
            inputs.append(len(found))
            with TemporaryDirectory() as place:
                folder = Path(place) / "in"
                folder.mkdir()
                for at, file in enumerate(found):
                    stem, _, ending = file.name.partition(".")
                    (folder / f"{stem}-{at:02}.{ending}").write_bytes(file.content)
                # Files are read by table and name: it comes last.
                (folder / "payments-zz.csv").write_text("account_id,payment_id\nwell,behaved\n")
                report = ingest([folder], Path(place) / "c.duckdb", dry_run=True)
                assert not list(Path(place).glob("c.duckdb*"))
            for file_report in report.files:
                assert "fault in linkage" not in file_report.error and "\n" not in file_report.error
            (good,) = [one for one in report.files if one.path.name == "payments-zz.csv"]
            assert (good.rows, good.rejected, good.error) == (1, 0, "")

        read()


@pytest.mark.parametrize("form", ["csv", "jsonl", "log"])
def test_a_file_is_explained_or_refused(form: str) -> None:
    with counted(f"{form} files, explained") as inputs:

        @fuzzed
        @given(files(form))
        def look(file: File) -> None:
            inputs.append(1)
            with TemporaryDirectory() as place:
                path = Path(place) / file.name
                path.write_bytes(file.content)
                try:
                    assert explain([path]) is not None
                except LinkageError as error:
                    assert error.exit_code is ExitCode.INPUT, error

        look()


def test_values_have_one_form() -> None:
    forms = {"ip": normalise.ip, "email": normalise.email, "phone": normalise.phone, "time": normalise.time,
             "integer": normalise.integer, "boolean": normalise.boolean, "name": normalise.account_name,
             "text": normalise.text, "prompt": normalise.given_prompt}  # fmt: skip
    near = st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.from_regex(r"[-+0-9TZ:. eE/]{1,30}"),
        st.from_regex(normalise.EMAIL.replace("[:space:]", r"\s")), st.ip_addresses().map(str),
        st.datetimes().map(str), st.floats().map(str),
    ).map(lambda text: text.encode("utf-8", "replace").decode())  # fmt: skip
    with counted("values of every kind") as inputs, duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        normalise.prepare(con, KEY)

        @fuzzed
        @given(st.lists(near, min_size=20, max_size=60))
        def bring(values: list[str]) -> None:
            inputs.append(len(values))
            selected = ", ".join(f"{form('v')} AS {name}" for name, form in forms.items())
            once = con.execute(f"SELECT {selected} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [values]).fetchall()
            assert len(once) == len(values)
            # A masked account name is not an account name: it is never masked again.
            for name in ("ip", "email", "phone", "text"):
                column = [row[list(forms).index(name)] for row in once]
                again = con.execute(
                    f"SELECT {forms[name]('v')} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [column]
                ).fetchall()
                assert [row[0] for row in again] == column, name

        bring()


def test_what_a_person_types_is_kept_or_refused() -> None:
    with counted("typed values") as inputs:

        @fuzzed
        @given(st.sampled_from((*BUILT_IN_KINDS, "tax_id")), st.text(max_size=30))
        def keep(kind: str, typed: str) -> None:
            inputs.append(1)
            try:
                assert stored_value(kind, typed, KEY)
            except LinkageError as error:
                assert error.exit_code is ExitCode.INPUT, error

        keep()


def test_prompts_have_fingerprints() -> None:
    key = SketchKey.of(KEY.secret)
    with counted("prompts") as inputs:

        @fuzzed
        @given(texts)
        def sketch(prompts: list[str]) -> None:
            inputs.append(len(prompts))
            once = identified_sketches(pa.array(prompts), key)
            # Whatever stands beside a prompt, its fingerprint is its own.
            turned = identified_sketches(pa.array(prompts[::-1]), key)
            assert once.to_pylist() == turned.to_pylist()[::-1]

        sketch()
