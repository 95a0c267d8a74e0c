"""What must not reach the disk: planted values, and a search for them in every byte, however they may be spelled."""

import base64
import json
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

from linkage import store
from tests.reliability import figure

SECRET = "sk-live-Qx7ZpLw93VtR"
PROMPT = f"Zanthoxylum ferment dossier for Ottoline, key {SECRET}, write to ottoline.vex@quillmail.example"
WORDS = "zanthoxylum ferment dossier"
MAIL, OTHER_MAIL = "Ottoline.Vex@quillmail.example", "barnaby.quoll@quillmail.example"
PHONE, PHONE_PLAIN = "+49 (151) 7734-9021", "4915177349021"
CARD, CARD_PLAIN = "4929 5538-7116 0048", "4929553871160048"
PEPPER = "pepper-of-the-leak-test-5b1e"

PLANTED = (SECRET, PROMPT, WORDS, MAIL, OTHER_MAIL, PHONE, PHONE_PLAIN, CARD, CARD_PLAIN, PEPPER)


def plant(folder: Path) -> list[Path]:
    """Exports of two crews with the planted values wherever a person or a broken exporter may put them."""
    folder.mkdir()
    accounts = "account_id,created_at,email,phone,plan,country,aliases,note\n"
    payments = "account_id,payment_id,method\n"
    logins = "account_id,ip,device_id,user_agent,at\n"
    identifiers = (
        f"account_id,kind,value\nc1,recovery_email,{MAIL}\nc1,phone,{PHONE}\nc2,tax_id,{CARD}\nc2,prompt,{PROMPT}\n"
    )
    exchanges = []
    for crew in "cd":
        for at in range(6):
            name = f"{crew}{at}"
            mail = MAIL if at == 1 else OTHER_MAIL if at == 2 else f"{name}@x{at}.example"
            phone = PHONE if at == 1 else ""
            accounts += f'{name},2026-01-0{at + 1},{mail},{phone},pro,DE,{mail},"{PROMPT}"\n'
            payments += f"{name},card_{crew},card\n"
            logins += f"{name},8.8.{ord(crew)}.1,dev_{crew},Mozilla,2026-01-10\n"
            for day in range(1, 9):
                one = {"account_id": name, "at": f"2026-01-1{day}", "ip": f"8.8.{ord(crew)}.1", "prompt": PROMPT}
                exchanges.append({**one, "prompt_fingerprint": PROMPT if day == 2 else None, "note": MAIL})
    # Columns that were shifted, and rows that are broken.
    accounts += f"c9,{PHONE},,,,,,\nc8,,{SECRET},,,,,\nc7,,,{MAIL},,,,\nc6,,,,{CARD},,,\nc5,,,,,{CARD_PLAIN},,\n"
    payments += f"c9,{CARD},card\nc8,{CARD_PLAIN} 12/27,card\nc7,fp,{CARD}\n"
    logins += f"c9,{MAIL},,,\nc8,{CARD},,,\nc7,8.8.8.8,,Agent {CARD_PLAIN},\nc6,{PROMPT[:30]} {MAIL},,,\n"
    logins += f'c5,8.8.8.8,,,{PHONE_PLAIN}0000\nc4,8.8.8.8,"{CARD}",,\n"unclosed {MAIL},1\n'
    (folder / "accounts.csv").write_text(accounts)
    (folder / "payments.csv").write_text(payments)
    (folder / "identifiers.csv").write_text(identifiers)
    (folder / "exchanges.jsonl").write_text("".join(json.dumps(one) + "\n" for one in exchanges) + f'{{"x": "{MAIL}\n')
    (folder / "logins.csv").write_text(logins)
    return sorted(folder.iterdir())


def spellings(text: str) -> set[bytes]:
    """The bytes that a text may be written as."""
    found = set()
    for plain in (text, text.lower(), text.upper()):
        data = plain.encode()
        found |= {data, plain.encode("utf-16-le"), plain.encode("utf-16-be"), data.hex().encode()}
        found |= {urllib.parse.quote(plain, safe="").encode(), urllib.parse.quote_plus(plain).encode()}
        for shift in range(3):
            # Of what stands before and behind it only the first and the last characters know.
            whole = base64.b64encode(b"\0" * shift + data)
            first, last = -(-shift * 4 // 3), (shift + len(data)) * 4 // 3
            found |= {whole[first:last], whole[first:last].replace(b"+", b"-").replace(b"/", b"_")}
    return found


def search(contents: Iterable[tuple[str, bytes]], planted: Iterable[str] = PLANTED) -> tuple[int, set[tuple[str, str]]]:
    """How many bytes were searched, and which planted value was found where."""
    needles = [(text, spelled) for text in planted for spelled in spellings(text)]
    searched, found = 0, set()
    for name, data in contents:
        searched += len(data)
        found |= {(name, text) for text, spelled in needles if spelled in data}
    return searched, found


def on_disk(*folders: Path) -> Iterable[tuple[str, bytes]]:
    """Every file below the folders, and the names of all of them."""
    for folder in folders:
        for path in folder.rglob("*"):
            yield f"name of {path}", path.name.encode()
            if path.is_file() and not path.is_symlink():
                yield str(path), path.read_bytes()


def unpacked(case: Path) -> Iterable[tuple[str, bytes]]:
    """All that the tables of a case say: on its pages text may be packed, where no search finds it."""
    with store.reading(case) as con:
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            yield f"table {table}", str(con.execute(f"SELECT * FROM {table}").fetchall()).encode()


def reported(searched: int) -> None:
    """Leave the figure for `docs/reliability.md` where a run asks for it."""
    figure("privacy", bytes_searched=searched, found=0)
