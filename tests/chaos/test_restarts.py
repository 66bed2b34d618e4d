"""A new version is rolled out while everybody works."""

import signal
import time

import pytest

from chaos.arena import PATIENCE, Arena
from chaos.jobs import Task

pytestmark = pytest.mark.chaos

EVERY_SECONDS = 5.0
RESTARTS = round(5 * PATIENCE)


def test_rolling_restart_aborts_no_job(arena: Arena) -> None:
    count = 150 * RESTARTS
    arena.add(Task(number=n, seconds=1.0) for n in range(count))
    for _ in range(3):
        arena.start("default")
    arena.until(lambda: arena.count("begun") > 0, 60)
    for _ in range(RESTARTS):
        time.sleep(EVERY_SECONDS)
        oldest = arena.workers.pop(0)
        oldest.send_signal(signal.SIGTERM)
        arena.start("default")
        assert oldest.wait(20) == 0
    arena.until(lambda: len(arena.effects()) >= count, 60)
    arena.until(lambda: arena.count("procrastinate_jobs", "status = 'doing'") == 0, 10)
    assert arena.effects() == list(range(count))
    assert arena.count("begun") == count, "a job was interrupted"
    assert arena.summary()["chaos.task succeeded"] == count
