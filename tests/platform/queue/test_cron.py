"""Each scheduled time runs once, in the installation's time zone."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError

from queue_helpers import Count, execute, rows
from videoflix.platform.queue import cron
from videoflix.platform.queue import schedule as every
from videoflix.platform.queue.cron import Schedule, schedules, tick

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def scheduled(committed: None) -> Iterator[None]:
    """One job that is due every minute."""
    before = dict(schedules)
    schedules.clear()
    every("* * * * *", Count(number=1))
    yield
    schedules.clear()
    schedules.update(before)


async def runs() -> list[tuple[datetime, bool]]:
    """The ledger: each scheduled time, and whether a job was made of it."""
    found = await rows("select scheduled_for, job_id from cron_run order by scheduled_for")
    return [(row["scheduled_for"], row["job_id"] is not None) for row in found]


async def waiting() -> int:
    return len(await rows("select id from procrastinate_jobs"))


async def test_what_passed_before_the_first_start_is_not_caught_up(scheduled: None) -> None:
    await tick()
    assert [made for _, made in await runs()] == [False]
    assert await waiting() == 0


async def test_after_days_the_latest_missed_run_is_caught_up_once(scheduled: None) -> None:
    await tick()
    await execute("update cron_run set scheduled_for = scheduled_for - interval '3 days'")
    await asyncio.gather(*[tick() for _ in range(5)])
    await tick()
    (_, first), (latest, second) = await runs()
    assert (first, second) == (False, True)
    assert datetime.now(UTC) - latest < timedelta(minutes=2)
    assert await waiting() == 1


async def test_worker_whose_clock_stood_still_does_not_run_an_older_time(
    scheduled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tick()
    await execute("update cron_run set scheduled_for = scheduled_for + interval '1 minute'")
    await tick()
    assert len(await runs()) == 1
    assert await waiting() == 0


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    class Here:
        time_zone = BERLIN

    monkeypatch.setattr(cron, "settings", Here)


@pytest.mark.parametrize("expression", ["30 2 * * *", "0 6 * * 0", "*/15 * * * *", "0 * * * *"])
@pytest.mark.parametrize("start", [datetime(2026, 3, 28), datetime(2026, 10, 24)])
def test_clock_changes_neither_skip_nor_repeat(
    in_berlin: None, expression: str, start: datetime
) -> None:
    """Looking every minute finds the times that cron's own forward walk finds, each once."""
    schedule = Schedule(expression, Count(number=1))
    begin = start.replace(tzinfo=BERLIN).astimezone(UTC)
    minutes = [begin + timedelta(minutes=m, seconds=1) for m in range(3 * 24 * 60)]
    seen = sorted({schedule.last_due(now) for now in minutes} - {schedule.last_due(minutes[0])})
    walk = CronSim(expression, minutes[0].astimezone(BERLIN))
    expected = []
    while (due := next(walk).astimezone(UTC)) < minutes[-1]:
        expected.append(due)
    assert seen == expected


def test_nightly_job_runs_once_on_the_nights_of_clock_changes(in_berlin: None) -> None:
    nightly = Schedule("30 2 * * *", Count(number=1))
    spring = nightly.next_due(datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert spring == datetime(2026, 3, 29, 1, tzinfo=UTC), "right after the hour that was skipped"
    autumn = nightly.next_due(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert autumn == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert nightly.next_due(autumn) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_weekly_job_follows_the_local_clock(in_berlin: None) -> None:
    weekly = Schedule("0 6 * * 0", Count(number=1))
    assert weekly.next_due(datetime(2026, 7, 1, tzinfo=UTC)) == datetime(2026, 7, 5, 4, tzinfo=UTC)
    assert weekly.next_due(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(
        2026, 12, 6, 5, tzinfo=UTC
    )


@pytest.mark.parametrize("expression", ["*/10 * * * * *", "61 * * * *", "hourly", ""])
def test_expression_that_is_none_is_refused_at_start(expression: str) -> None:
    with pytest.raises((CronSimError, ValueError)):
        every(expression, Count(number=1))
    assert Count.name not in schedules
