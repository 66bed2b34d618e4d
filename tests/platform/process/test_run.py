"""Programs that are limited, watched, and never left behind."""

import ast
import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from videoflix.platform.process.run import (
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
    """A program that leaves a note and waits."""
    return f"import pathlib, time; pathlib.Path({str(note)!r}).touch(); time.sleep(600)"


def wait_for(note: Path) -> None:
    while not note.exists():
        time.sleep(0.02)


def commands() -> list[str]:
    """The command lines of all processes: a sandboxed program does not know its own number."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append((process / "cmdline").read_text())
    return found


def gone(word: str) -> bool:
    """Whether no process has the word in its command line, after a while at most."""
    for _ in range(50):
        if not any(word in command for command in commands()):
            return True
        time.sleep(0.05)
    return False


async def test_output_comes_whole_or_line_by_line() -> None:
    code = "print('one'); print('two')"
    assert await run(python(code), LIMITS) == "one\ntwo\n"
    lines: list[str] = []
    assert await run(python(code), LIMITS, lines.append) == ""
    assert lines == ["one", "two"]


async def test_failure_keeps_the_end_of_the_output() -> None:
    code = "import sys; [print(n, file=sys.stderr) for n in range(100)]; sys.exit(3)"
    with pytest.raises(ProcessFailed) as failure:
        await run(python(code), LIMITS)
    assert failure.value.returncode == 3
    assert failure.value.log.splitlines() == [str(n) for n in range(70, 100)]


async def test_too_slow_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, pathlib, time\n"
        f"subprocess.Popen([sys.executable, '-c', {sleeper(note)!r}]); time.sleep(600)"
    )
    for wall_seconds in (5, 20, 60):  # until the limit leaves enough time to start both
        limits = Limits(wall_seconds, cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)
        with pytest.raises(ProcessTimedOut):
            await run(python(code), limits, writes=[tmp_path])
        if note.exists():
            break
    assert note.exists(), "its child never started, so this proves nothing"
    assert gone(str(note))


async def test_cancelled_work_leaves_no_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    task = asyncio.create_task(run(python(sleeper(note)), LIMITS, writes=[tmp_path]))
    await asyncio.to_thread(wait_for, note)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone(str(note))


@pytest.mark.parametrize(
    ("code", "limits", "limit"),
    [
        ("while True: pass", Limits(20, 1, 2 << 30, 1 << 20), "cpu_seconds"),
        ("bytearray(1 << 30)", Limits(20, 20, 1 << 28, 1 << 20), "memory_bytes"),
        (
            "import tempfile; tempfile.TemporaryFile().write(bytes(1 << 21))",
            LIMITS,
            "file_bytes",
        ),
    ],
)
async def test_limits_hold(code: str, limits: Limits, limit: str, tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded) as failure:
        await run(python(code), limits, writes=[tmp_path])
    assert failure.value.limit == limit


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
    parent = f"""
import asyncio, pathlib, sys
from videoflix.platform.process.run import Limits, run
argv, folder = [sys.executable, "-c", {child!r}], pathlib.Path({str(tmp_path)!r})
asyncio.run(run(argv, Limits(60, 60, 2 << 30, 1 << 20), writes=[folder]))
"""
    with subprocess.Popen(python(parent)) as process:
        wait_for(note)
        os.kill(process.pid, signal.SIGKILL)
    assert gone(str(note))


async def test_programs_yield_to_everything_else() -> None:
    code = """
import os, pathlib
group = pathlib.Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), group.read_text() if group.exists() else "nice 10")
"""
    nice, group = (await run(python(code), LIMITS)).strip().split(" ", 1)
    assert int(nice) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert group.endswith("nice 10")  # sessions are weighed first, whatever is nice inside of them


async def test_programs_get_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "SMTP_URL", "NEW_SECRET"):
        monkeypatch.setenv(name, "canary")
    told = await run(python("import os; print(dict(os.environ))"), LIMITS)
    assert "PATH" in told
    assert "canary" not in told
    known = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TMPDIR"}
    assert set(ast.literal_eval(told)) <= known
