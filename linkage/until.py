"""Until when something counts that a person said: a date, a time, or a span from now."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from linkage.errors import UsageError

_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 7 * 24}


def utc_now() -> datetime:
    """The time now, UTC without a zone, as the case keeps times."""
    return datetime.now(UTC).replace(tzinfo=None)


def until(typed: str | datetime | None, now: datetime) -> datetime | None:
    """The end of what counts from `now` on; UTC without a zone.

    Args:
        typed: an ISO 8601 date (its first moment) or time, no offset meaning UTC; or a span: `12h`, `90d`, `4w`. None
            has no end.
        now: UTC without a zone.

    Raises:
        UsageError: it is neither, or over already.

    >>> until("90d", datetime(2026, 1, 1)), until("2026-03-01T12:00+02:00", datetime(2026, 1, 1))
    (datetime.datetime(2026, 4, 1, 0, 0), datetime.datetime(2026, 3, 1, 10, 0))
    """
    if typed is None:
        return None
    end = typed if isinstance(typed, datetime) else _read(typed.strip(), now)
    if end.tzinfo is not None:
        try:
            end = end.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            raise _unreadable(str(typed)) from None
    if end <= now:
        raise UsageError(f"{end:%Y-%m-%d %H:%M} UTC is over already.", "Name a time to come, such as 90d.")
    return end


def _read(typed: str, now: datetime) -> datetime:
    span = _SPAN.fullmatch(typed)
    try:
        return now + timedelta(hours=int(span[1]) * _HOURS[span[2]]) if span else datetime.fromisoformat(typed)
    except (ValueError, OverflowError):
        raise _unreadable(typed) from None


def _unreadable(typed: str) -> UsageError:
    return UsageError(
        f"{typed!r} is neither a date nor a span.", "Write it as 2026-03-01, 2026-03-01T12:00, 12h, 90d or 4w."
    )
