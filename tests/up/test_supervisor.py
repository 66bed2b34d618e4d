"""Child processes: followed, started again, ended politely or at once."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from videoflix.up.supervisor import LONGEST_LINE, SupervisedProcess, exit_reason

Start = Callable[..., tuple[SupervisedProcess, asyncio.Task[None]]]


class Lines(list[str]):
    """What a child said; one can wait for a line."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def hear(self, source: str, line: str) -> None:
        self.append(f"{source}: {line}")
        self._news.set()

    async def wait_for(self, words: str, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while sum(words in line for line in self) < times:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def force_stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def start(lines: Lines, force_stop: asyncio.Event, tmp_path: Path) -> Start:
    def start(program: str, **environment: str) -> tuple[SupervisedProcess, asyncio.Task[None]]:
        command = [sys.executable, "-c", program]
        child = SupervisedProcess(
            "tester", command, environment, show=lines.hear, logs=tmp_path, force_stop=force_stop
        )
        return child, asyncio.create_task(child.keep_running())

    return start


async def end(task: asyncio.Task[None]) -> float:
    """Seconds it took."""
    began = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return time.monotonic() - began


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
print("ready", flush=True)
while True: time.sleep(0.1)
"""
POLITE = """
import signal, sys, time
def leave(*_):
    print("tidied up", flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(60)
"""


async def test_is_started_again_with_growing_pauses(start: Start, lines: Lines) -> None:
    child, task = start(
        "import os; print('hello', os.environ['NAME']); raise SystemExit(3)", NAME="x"
    )
    await lines.wait_for("stopped", times=2)
    await end(task)
    assert child.exits == 2
    assert lines[:2] == ["tester: hello x", "tester: stopped (exit code 3), restarting in 1 s"]
    assert lines[3] == "tester: stopped (exit code 3), restarting in 2 s"


async def test_may_tidy_up_when_it_ends(start: Start, lines: Lines, tmp_path: Path) -> None:
    _, task = start(POLITE)
    await lines.wait_for("ready")
    await end(task)
    assert lines[-1] == "tester: tidied up"
    assert "tidied up" in (tmp_path / "tester.log").read_text()


async def test_is_killed_when_there_is_no_time(
    start: Start, lines: Lines, force_stop: asyncio.Event
) -> None:
    _, task = start(STUBBORN)
    await lines.wait_for("ready")
    ending = asyncio.create_task(end(task))
    await lines.wait_for("heard")
    assert not ending.done()
    force_stop.set()
    assert await ending < 5


async def test_a_program_that_is_not_there_is_tried_again(
    lines: Lines, force_stop: asyncio.Event, tmp_path: Path
) -> None:
    child = SupervisedProcess(
        "tester", ["/nowhere"], {}, show=lines.hear, logs=tmp_path, force_stop=force_stop
    )
    task = asyncio.create_task(child.keep_running())
    await lines.wait_for("restarting")
    await end(task)


async def test_a_full_disk_does_not_flood_the_console(
    start: Start, lines: Lines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tester.log").symlink_to("/dev/full")
    _, task = start("print('said')")
    await lines.wait_for("restarting", times=2)
    await end(task)
    assert task.cancelled(), "closing the log file is no error"
    assert not capsys.readouterr().err


async def test_lines_without_end_are_cut_and_bytes_that_are_no_text_replaced(
    start: Start, lines: Lines
) -> None:
    _, task = start(r"import os; os.write(1, b'x' * 200_000 + b'\n\xff\nlast')")
    await lines.wait_for("last")
    await end(task)
    said = [line.removeprefix("tester: ") for line in lines]
    assert sum(len(line) for line in said if line.startswith("x")) == 200_000
    assert max(map(len, said)) <= 2 * LONGEST_LINE
    assert "\ufffd" in said


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (-9, "SIGKILL"), (-11, "SIGSEGV"), (-99, "signal 99")]
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert exit_reason(code) == words
