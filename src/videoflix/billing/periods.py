"""Billing periods of memberships, in the installation's time zone. Pure functions.

A period is charged as a whole in the calendar month in which it starts.
"""

import calendar
from datetime import date, datetime, time
from zoneinfo import ZoneInfo


def start_of(month: date, zone: ZoneInfo) -> datetime:
    """Start of a month in a time zone."""
    return datetime.combine(month, time(), zone)


def months_before(month: date, count: int) -> date:
    """First day of the month `count` months earlier; negative counts go forward."""
    total = month.year * 12 + month.month - 1 - count
    return date(total // 12, total % 12 + 1, 1)


def begin_within(month: date, since: datetime, every: int, zone: ZoneInfo) -> datetime | None:
    """Start of the period that begins in a month; periods start at `since`, every `every` months.

    Clamped to the last day of short months; None if no period starts in the month.
    """
    first = since.astimezone(zone)
    elapsed = (month.year - first.year) * 12 + month.month - first.month
    if elapsed < 0 or elapsed % every:
        return None
    day = min(first.day, calendar.monthrange(month.year, month.month)[1])
    return first.replace(year=month.year, month=month.month, day=day)
