"""Workers are killed and connections are cut, over and over."""

import random
import time

import pytest

from chaos.arena import PATIENCE, Arena
from chaos.jobs import Poison, Work

# Nobody here works on what the application itself schedules.
WAITING = "status in ('todo', 'doing') and task_name like 'chaos.%%'"
pytestmark = pytest.mark.chaos

SECONDS = 60.0 * PATIENCE
JOBS = round(600 * PATIENCE)
KILL_EVERY, CUT_EVERY = 2.7, 3.7
NEIGHBOURS = 8


def test_every_effect_happens_once(arena: Arena) -> None:
    """And a scheduled job that was last seen three days ago is caught up once."""
    arena.ask(
        "insert into cron_run (kind, scheduled_for, created_at, updated_at) values"
        " ('chaos.minutely', date_trunc('minute', now()) - interval '3 days', now(), now())"
    )
    arena.add(Work(number=n, seconds=0.1) for n in range(JOBS))
    for _ in range(3):
        arena.start("transcode")
    arena.until(lambda: arena.count("begun") > 0, 60)
    kills = cuts = 0
    began = time.monotonic()
    while (now := time.monotonic() - began) < SECONDS:
        arena.keep_alive("transcode")
        if now > kills * KILL_EVERY:
            arena.kill_one()
            kills += 1
        if now > cuts * CUT_EVERY:
            arena.cut_connections()
            cuts += 1
        time.sleep(random.uniform(0.05, 0.2))
    assert kills >= 20
    assert cuts >= 15
    arena.until(lambda: len(arena.effects()) >= JOBS, 60, "transcode")
    arena.until(lambda: arena.count("procrastinate_jobs", "status = 'doing'") == 0, 60, "transcode")

    assert arena.effects() == list(range(JOBS))
    assert arena.count("procrastinate_jobs", "status in ('failed', 'aborted')") == 0
    assert arena.count("begun") <= JOBS * 1.15
    arena.assert_every_tick_came_once()
    assert arena.count("cron_run", "kind = 'chaos.minutely'") >= 3, (
        "the old one, the one caught up, and one during the trial"
    )


def test_poison_takes_nobody_along(arena: Arena) -> None:
    arena.add([Poison(number=1000)])
    arena.add(Work(number=n, seconds=0.3) for n in range(NEIGHBOURS))
    for _ in range(2):
        arena.start("transcode")

    def settled() -> bool:
        waiting = arena.count("procrastinate_jobs", WAITING)
        return waiting == 0 and arena.count("told") > 0

    arena.until(settled, 90, "transcode")
    assert arena.effects() == list(range(NEIGHBOURS))
    assert arena.ask("select number, count(*) from begun group by 1 order by 1") == [
        *((n, 1) for n in range(NEIGHBOURS)),
        (1000, Poison.attempts),
    ]
    assert arena.ask("select number, error from told") == [(1000, "AttemptsExhausted")]
    assert arena.ask("select kind, reason from job_incident where kind = 'dead'") == [
        ("dead", "AttemptsExhausted: none of its 3 attempts completed")
    ]
