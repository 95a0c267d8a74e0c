"""Read a list of accounts that a person made: text with an id a line, or CSV with a column `account_id`."""

import csv
import io
from pathlib import Path
from typing import Final

from linkage.errors import InputError, NotFoundError, translate

_COLUMN: Final = "account_id"
_BLANK: Final = " \t\r\n"


def read_accounts(path: Path) -> list[str]:
    """The account ids of a file, sorted, each once.

    If the first line names a column `account_id` (comma, semicolon or tab between the columns), the file is CSV;
    else each line is an id. White space around an id and empty lines count for nothing.

    Raises:
        NotFoundError: no such file.
        InputError: the file is a folder, is no UTF-8 text or names no accounts.
        MachineError: it cannot be read.
    """
    if not path.exists():
        raise NotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a list of accounts.", "Name a file with an account id a line.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8 text.", "Export it as UTF-8, an account id a line.") from None
    except OSError as exc:
        raise translate(exc, f"reading {path}") from None
    if "\0" in text:
        raise InputError(f"{path} is no text.", "Give a text file with an account id a line.")
    try:
        found = _from_columns(text)
    except csv.Error as exc:
        raise InputError(f"{path} is no CSV file: {exc}.") from None
    if found is None:
        found = text.split("\n")
    accounts = sorted({account for account in (line.strip(_BLANK) for line in found) if account})
    if not accounts:
        raise InputError(f"{path} names no accounts.", "Give a text file with an account id a line.")
    return accounts


def _from_columns(text: str) -> list[str] | None:
    """The cells of the column `account_id`; None if the first line names no such column."""
    head = text.partition("\n")[0]
    for delimiter in (",", ";", "\t"):
        names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
        if _COLUMN in names:
            at = names.index(_COLUMN)
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
            return [row[at] for row in rows if len(row) > at]
    return None
