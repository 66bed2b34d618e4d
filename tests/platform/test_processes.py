"""Programs that are limited, watched, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from videoflix.platform.processes import (
    LaunchFailed,
    LimitExceeded,
    Limits,
    ProcessFailed,
    ProcessKilled,
    ProcessTimedOut,
    run,
)

LIMITS = Limits(wall_seconds=20, cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def sleeper(note: Path) -> str:
    """A program that writes down its process id and waits."""
    write = f"pathlib.Path({str(note)!r}).write_text(str(os.getpid()))"
    return f"import os, pathlib, time; {write}; time.sleep(60)"


def wait_for(note: Path) -> None:
    while not note.exists() or not note.read_text():
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    for _ in range(50):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


async def test_output_comes_whole_or_line_by_line() -> None:
    code = "print('one'); print('two')"
    assert await run(python(code), LIMITS) == "one\ntwo\n"
    lines: list[str] = []
    assert await run(python(code), LIMITS, lines.append) == ""
    assert lines == ["one", "two"]


async def test_failure_keeps_the_last_words() -> None:
    code = "import sys; [print(n, file=sys.stderr) for n in range(100)]; sys.exit(3)"
    with pytest.raises(ProcessFailed) as failure:
        await run(python(code), LIMITS)
    assert failure.value.returncode == 3
    assert failure.value.log.splitlines() == [str(n) for n in range(70, 100)]


async def test_too_slow_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    limits = Limits(wall_seconds=1.5, cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)
    with pytest.raises(ProcessTimedOut):
        await run(python(code), limits)
    assert gone(int(note.read_text()))


async def test_cancelled_work_leaves_no_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    task = asyncio.create_task(run(python(sleeper(note)), LIMITS))
    await asyncio.to_thread(wait_for, note)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(int(note.read_text()))


@pytest.mark.parametrize(
    ("code", "limits", "limit"),
    [
        ("bytearray(1 << 30)", Limits(20, 20, 1 << 28, 1 << 20), "memory_bytes"),
        (
            "import tempfile; tempfile.TemporaryFile().write(bytes(1 << 21))",
            LIMITS,
            "file_bytes",
        ),
    ],
)
async def test_limits_hold(code: str, limits: Limits, limit: str) -> None:
    with pytest.raises(LimitExceeded) as failure:
        await run(python(code), limits)
    assert failure.value.limit == limit


async def test_processor_time_is_limited() -> None:
    with pytest.raises(ProcessFailed):
        await run(python("while True: pass"), Limits(20, 1, 2 << 30, 1 << 20))


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGTERM", "SIGABRT"])
async def test_a_signal_is_told_from_an_exit_code(name: str) -> None:
    code = f"import os, signal; os.kill(os.getpid(), signal.{name})"
    with pytest.raises(ProcessKilled) as failure:
        await run(python(code), LIMITS)
    assert failure.value.signal is signal.Signals[name]
    assert failure.value.returncode == -signal.Signals[name]
    assert name in str(failure.value)


async def test_a_missing_program_is_no_failure_of_the_program(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a program")
    for program in (tmp_path / "missing", text, tmp_path):
        with pytest.raises(LaunchFailed) as failure:
            await run([str(program)], LIMITS)
        assert str(program) in failure.value.log


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal")
def test_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = sleeper(note)
    parent = (
        "import asyncio, sys\n"
        "from videoflix.platform.processes import Limits, run\n"
        f"asyncio.run(run([sys.executable, '-c', {child!r}], Limits(60, 60, 2 << 30, 1 << 20)))"
    )
    with subprocess.Popen(python(parent)) as process:
        wait_for(note)
        os.kill(process.pid, signal.SIGKILL)
    assert gone(int(note.read_text()))
