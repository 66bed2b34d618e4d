"""Workers stand still for longer than anybody waits for them, and then go on."""

import signal
import time
from typing import LiteralString

import pytest

from chaos.arena import PATIENCE, STALL_SECONDS, Arena
from chaos.jobs import Work

pytestmark = pytest.mark.chaos

ROUNDS = round(5 * PATIENCE)
AT_ONCE = 2


def wait_for(arena: Arena, table: LiteralString, count: int) -> None:
    arena.until(lambda: arena.count(table, "number >= 0") >= count, 30)


def test_nothing_is_shown_twice_and_late_results_are_fenced(arena: Arena) -> None:
    for _ in range(2 * AT_ONCE):
        arena.start("transcode")
    arena.until(lambda: arena.count("procrastinate_workers") == 2 * AT_ONCE, 60)
    for round_number in range(ROUNDS):
        begun = arena.count("begun")
        first = round_number * 2 * AT_ONCE
        # Everyone has a job; half of them stand still in the middle of it.
        arena.add([Work(number=first + n, seconds=1.5) for n in range(2 * AT_ONCE)])
        wait_for(arena, "begun", begun + 2 * AT_ONCE)
        frozen = arena.workers[:AT_ONCE] if round_number % 2 else arena.workers[AT_ONCE:]
        for worker in frozen:
            worker.send_signal(signal.SIGSTOP)
        time.sleep(STALL_SECONDS + 2.5)
        for worker in frozen:
            worker.send_signal(signal.SIGCONT)
        wait_for(arena, "effect", first + 2 * AT_ONCE)
    arena.until(lambda: arena.count("procrastinate_jobs", "status = 'doing'") == 0, 30)
    time.sleep(2)

    assert arena.effects() == list(range(ROUNDS * 2 * AT_ONCE))
    assert set(arena.summary()) <= {"chaos.work succeeded", "chaos.minutely succeeded"}
    assert arena.count("job_incident", "kind = 'fenced'") >= 1
    arena.assert_every_tick_came_once()
