"""Runs programs that handle strangers' files: limited, watched, and never left behind.

A program gets a process group of its own, none of our secrets, and dies with us even when we are
killed (tether.py). Its limits hold for everything it does; its last words are kept for the log.
"""

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from videoflix.platform.tether import tethered

LAUNCHER = Path(__file__).with_name("launcher.py")
# Passwords and keys live in the environment too; a program that reads hostile files gets none.
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
OUTPUT_BYTES = 32 * 1024 * 1024
LOG_LINES = 30
LOG_BYTES = 16 * 1024
LINE_MAX = 1 << 20

OnLine = Callable[[str], Awaitable[None] | None]


class Limits(msgspec.Struct, frozen=True):
    """What a program may use; `file_bytes` bounds each file it writes."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    file_bytes: int


class ProcessFailed(Exception):
    """The program did not end well; `log` holds the last lines it wrote to stderr."""

    def __init__(self, program: str, returncode: int, log: str) -> None:
        super().__init__(f"{program} ended with {returncode}: {log}")
        self.returncode = returncode
        self.log = log


class ProcessTimedOut(ProcessFailed):
    """The program took longer than its limit and was killed."""


async def run(argv: Sequence[str], limits: Limits, on_line: OnLine | None = None) -> str:
    """Run a program to its end; what it wrote to stdout, or nothing if `on_line` took it.

    Of the output at most OUTPUT_BYTES are kept. Raises ProcessFailed or ProcessTimedOut. When
    the caller is cancelled the program's whole group is killed before this returns.
    """
    process = await asyncio.create_subprocess_exec(
        *tethered(_limited(argv, limits), signal.SIGKILL),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        start_new_session=True,
        limit=LINE_MAX,
    )
    log = bytearray()
    tail = asyncio.create_task(_tail(process.stderr, log))
    try:
        async with asyncio.timeout(limits.wall_seconds) as clock:
            output = await _read(process.stdout, on_line)
            await tail
            code = await process.wait()
    except TimeoutError as error:
        if not clock.expired():
            raise  # the listener's own
        raise ProcessTimedOut(argv[0], -signal.SIGKILL, _last_lines(log)) from error
    finally:
        tail.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if code:
        raise ProcessFailed(argv[0], code, _last_lines(log))
    return output


def _limited(argv: Sequence[str], limits: Limits) -> list[str]:
    bounds = (limits.cpu_seconds, limits.memory_bytes, limits.file_bytes)
    return [sys.executable, "-I", "-S", str(LAUNCHER), *map(str, bounds), *argv]


async def _read(stream: asyncio.StreamReader | None, on_line: OnLine | None) -> str:
    if stream is None:
        return ""
    if on_line is None:
        output = bytearray()
        while data := await stream.read(1 << 16):
            output += data[: OUTPUT_BYTES - len(output)]
        return output.decode(errors="replace")
    async for line in stream:
        waiting = on_line(line.decode(errors="replace").rstrip("\n"))
        if inspect.isawaitable(waiting):
            await waiting
    return ""


async def _tail(stream: asyncio.StreamReader | None, log: bytearray) -> None:
    if stream is None:
        return
    while data := await stream.read(1 << 16):
        log += data
        del log[:-LOG_BYTES]


def _last_lines(log: bytearray) -> str:
    return "\n".join(log.decode(errors="replace").splitlines()[-LOG_LINES:])
