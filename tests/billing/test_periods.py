"""When the billing periods of a membership begin."""

import calendar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.billing.periods import begin_within, months_before, start_of

BERLIN = ZoneInfo("Europe/Berlin")
MONTHS = st.dates(date(1970, 1, 1), date(2199, 12, 1)).map(lambda day: day.replace(day=1))
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("month", "count", "expected"),
    [
        (date(2026, 1, 1), 0, date(2026, 1, 1)),
        (date(2026, 1, 1), 1, date(2025, 12, 1)),
        (date(2026, 12, 1), 11, date(2026, 1, 1)),
        (date(2026, 12, 1), 12, date(2025, 12, 1)),
        (date(2025, 12, 1), -1, date(2026, 1, 1)),
        (date(2025, 12, 1), -13, date(2027, 1, 1)),
        (date(2026, 3, 31), 1, date(2026, 2, 1)),
    ],
)
def test_months_before(month: date, count: int, expected: date) -> None:
    assert months_before(month, count) == expected


@given(month=MONTHS, count=st.integers(-1000, 1000))
def test_going_back_and_forward_ends_in_the_same_month(month: date, count: int) -> None:
    assert months_before(months_before(month, count), -count) == month


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        (date(2026, 1, 1), "2025-12-31T23:00:00+00:00"),
        (date(2026, 7, 1), "2026-06-30T22:00:00+00:00"),
    ],
)
def test_month_starts_at_midnight_of_the_time_zone(month: date, expected: str) -> None:
    assert start_of(month, BERLIN) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("since", "every", "month", "begins"),
    [
        ("2026-01-31T10:00:00+00:00", 1, date(2026, 2, 1), "2026-02-28T10:00:00+00:00"),
        ("2027-12-31T10:00:00+00:00", 1, date(2028, 2, 1), "2028-02-29T10:00:00+00:00"),
        ("2026-02-15T10:00:00+00:00", 12, date(2027, 2, 1), "2027-02-15T10:00:00+00:00"),
        ("2026-02-15T10:00:00+00:00", 12, date(2026, 3, 1), None),
        ("2026-02-15T10:00:00+00:00", 1, date(2026, 1, 1), None),
    ],
)
def test_periods_begin_on_the_day_of_the_first(
    since: str, every: int, month: date, begins: str | None
) -> None:
    found = begin_within(month, datetime.fromisoformat(since), every, ZoneInfo("UTC"))
    assert found == (datetime.fromisoformat(begins) if begins else None)


def test_period_is_the_same_hour_in_winter_and_summer() -> None:
    zone = ZoneInfo("Europe/Berlin")
    winter = datetime(2026, 2, 10, 9, tzinfo=zone)
    begun = begin_within(date(2026, 4, 1), winter, 1, zone)
    assert begun is not None
    assert begun.isoformat() == "2026-04-10T09:00:00+02:00"


def test_month_is_counted_in_the_time_zone() -> None:
    """23:30 UTC on 31 January is February in Berlin."""
    since = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    assert begin_within(date(2026, 1, 1), since, 1, BERLIN) is None
    assert begin_within(date(2026, 2, 1), since, 1, BERLIN) == since


@given(since=MOMENTS, months=st.integers(-24, 240), every=st.sampled_from([1, 3, 12]))
def test_periods_begin_every_so_many_months(since: datetime, months: int, every: int) -> None:
    month = months_before(since.date().replace(day=1), -months)
    begin = begin_within(month, since, every, ZoneInfo("UTC"))
    if months < 0 or months % every:
        assert begin is None
    else:
        assert begin is not None
        last = calendar.monthrange(month.year, month.month)[1]
        assert begin.date() == month.replace(day=min(since.day, last))
        assert begin.timetz() == since.timetz()
