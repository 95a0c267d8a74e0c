"""Settings that a person adds to the server's configuration: `own.conf` in its home."""

import re
from typing import Final

from linkage.errors import UsageError, translate
from linkage.server.places import Layout

_KEY: Final = re.compile(r"[A-Za-z_]+(\.[A-Za-z0-9_-]+)+")
_REFUSED: Final = (
    (re.compile(r".*(listen|advertised)_address(es)?"), "the server listens on this machine only, where up says"),
    (re.compile(r"dbms\.security\..*auth.*"), "nobody reaches the server without its password"),
    (re.compile(r"dbms\.usage_report\..*|client\.allow_telemetry"), "nobody is told how it is used"),
    (re.compile(r"server\.directories\.(neo4j_home|data|logs|run)"), "these are below its home, LINKAGE_NEO4J_HOME"),
)  # fmt: skip


def settings(layout: Layout) -> dict[str, str]:
    """The settings of `own.conf` by name; none where there is no such file.

    Raises:
        UsageError: a line is no setting, comes twice, or is one that must not be changed.
        MachineError: the file cannot be read.
    """
    try:
        text = layout.own.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        text = "\N{REPLACEMENT CHARACTER}"
    except OSError as exc:
        raise translate(exc, f"reading {layout.own}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, sign, value = (part.strip() for part in line.partition("="))
        at = f"Line {number} of {layout.own}"
        # The server reads other spellings as well, `\u0061` for a letter and a \ at the end to join lines: with them
        # a setting could be hidden in another.
        if not sign or not _KEY.fullmatch(key) or not line.isascii() or value.endswith("\\"):
            raise UsageError(f"{at} is no setting.", "Write key=value, in ASCII, a line each.")
        if key in found:
            raise UsageError(f"{at} gives {key} a second time.", "Remove one of the two lines.")
        for pattern, why in _REFUSED:
            if pattern.fullmatch(key):
                raise UsageError(f"{at} may not set {key}: {why}.", "Remove the line.")
        found[key] = value
    return found
