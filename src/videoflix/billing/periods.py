"""When the periods of a membership begin, by the installation's clock. A leaf: no database.

A period belongs to the calendar month it begins in, and is charged there as a whole.
"""

import calendar
from datetime import date, datetime, time
from zoneinfo import ZoneInfo


def start_of(month: date, zone: ZoneInfo) -> datetime:
    """The moment a month begins there."""
    return datetime.combine(month, time(), zone)


def months_before(month: date, count: int) -> date:
    """The first day of the month so many months before; a negative count goes forward."""
    total = month.year * 12 + month.month - 1 - count
    return date(total // 12, total % 12 + 1, 1)


def begin_within(month: date, since: datetime, every: int, zone: ZoneInfo) -> datetime | None:
    """When a period begins in a month, counted from `since` in steps of so many months.

    On the last day where the month is too short; None where none begins.
    """
    first = since.astimezone(zone)
    gone = (month.year - first.year) * 12 + month.month - first.month
    if gone < 0 or gone % every:
        return None
    day = min(first.day, calendar.monthrange(month.year, month.month)[1])
    return first.replace(year=month.year, month=month.month, day=day)
