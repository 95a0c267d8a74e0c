"""The prompt in what an API was sent: logs hold a request's messages as JSON, in the shapes of several providers."""

import json
from typing import Any, Final

import pyarrow as pa

_SYSTEM: Final = frozenset({"system", "developer"})
_LISTS: Final = ("messages", "contents", "input", "prompt", "inputText")


def prompt_of(text: str) -> str | None:
    r"""The system prompt and the last thing that the user said; a text that is no JSON is a prompt itself.

    What stands between is the talk so far, which each request repeats. None where no text is said, as in the
    results of tools.

    >>> prompt_of('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]')
    'Be brief.\n\nHello'
    >>> prompt_of('{"messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]}')
    'Hi'
    >>> prompt_of("Translate this")
    'Translate this'
    """
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return _said(json.loads(text))
    except (ValueError, RecursionError):
        # What is nested hundreds deep is no request that an API took.
        return text


def _said(said: Any) -> str | None:
    parts: list[str] = []
    if isinstance(said, dict) and "role" not in said:
        parts.append(_text(said.get("system")) or _text(said.get("systemInstruction")))
        said = next((said[name] for name in _LISTS if said.get(name)), None)
    if not isinstance(said, list):
        said = [said]
    messages = [message if isinstance(message, dict) else {"content": message} for message in said]
    parts += [_text(message) for message in messages if message.get("role") in _SYSTEM]
    asked = [_text(message) for message in messages if message.get("role", "user") == "user"]
    parts += [text for text in asked if text][-1:]
    # Half a character, a surrogate that stands alone, is no text that the database takes.
    return "\n\n".join(filter(None, parts)).encode("utf-8", "replace").decode() or None


def prompts_of(texts: pa.ChunkedArray) -> pa.Array:
    """`prompt_of` each of a column."""
    return pa.array([prompt_of(text) if text else None for text in texts.to_pylist()], pa.string())


def _text(said: Any) -> str:
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return "\n".join(filter(None, map(_text, said)))
    if isinstance(said, dict):
        return next((_text(said[name]) for name in ("text", "content", "parts") if said.get(name)), "")
    return ""
