"""A report's facts as one HTML page that needs no network and runs no script but its own.

Text of an export goes in as escaped text (jinja2 with autoescape) or as JSON in a data block, in which `<`, `>`, `&`
and the line separators are written as escapes, so that nothing in it ends the block. The page's own scripts and style
are named by their SHA-256 in its Content-Security-Policy: a browser runs no other.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from linkage import __version__
from linkage.model import STATUSES
from linkage.report.data import Facts

_ASSETS: Final = Path(__file__).with_name("assets")
_SCRIPTS: Final = ("dom.js", "graph.js", "timeline.js", "ring.js", "list.js")
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page(facts: Facts) -> bytes:
    """The whole page; the same facts give the same bytes."""
    own = '"use strict";\n(() => {\n' + "".join(_asset(name) for name in _SCRIPTS) + "})();\n"
    scripts = [_asset("d3.min.js"), own]
    style = _asset("report.css")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(_asset("page.html")).render(
        page=facts.page,
        rings=[{**row, "kinds_json": json.dumps(row["kinds"])} for row in facts.rings],
        kinds=sorted({kind for row in facts.rings for kind in row["kinds"]}),
        statuses=[status for status in STATUSES if any(row["status"] == status for row in facts.rings)],
        version=__version__,
        details=[Markup(data_block(detail)) for detail in facts.details],
        scripts=[Markup(script) for script in scripts],
        style=Markup(style),
        script_hashes=Markup(" ".join(map(_named, scripts))),
        style_hash=Markup(_named(style)),
    )
    return text.encode()


def data_block(value: Any) -> str:
    r"""JSON that can stand in a script element.

    >>> data_block(["</script>", "a&b"])
    '["\\u003c/script\\u003e","a\\u0026b"]'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _named(content: str) -> str:
    """How a Content-Security-Policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
