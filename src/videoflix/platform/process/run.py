"""Runs programs that handle strangers' files: limited, watched, and never left behind.

A program runs in a sandbox (sandbox.py), at low priority, and dies with us even when we are killed
(launcher.py). Its limits hold for everything it does; the end of its output is kept for the log.
"""

import asyncio
import inspect
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from videoflix.platform.process.sandbox import SandboxMissing, launch_command, sandbox

# Passwords and keys live in the environment too; a program that reads hostile files gets none.
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
OUTPUT_BYTES = 32 * 1024 * 1024
LOG_LINES = 30
LOG_BYTES = 16 * 1024
LINE_MAX = 1 << 20

# What launcher.py exits with when the program was not started, as env(1) and timeout(1) do.
NOT_STARTED = {125, 126, 127}
# How ffmpeg, x264 and Python say that RLIMIT_AS, or the machine, had no more memory for them;
# 244 is AVERROR(ENOMEM) as an exit code.
OUT_OF_MEMORY = ("Cannot allocate memory", "MemoryError", "malloc of size")
FFMPEG_OUT_OF_MEMORY = 244
# EFBIG, where a program ignores the signal that names this limit.
TOO_LARGE = "File too large"

OnLine = Callable[[str], Awaitable[None] | None]
Limit = Literal["cpu_seconds", "memory_bytes", "file_bytes"]


class Limits(msgspec.Struct, frozen=True):
    """What a program may use; `file_bytes` bounds each file it writes."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    file_bytes: int


class ProcessFailed(Exception):
    """The program did not exit with 0; `log` holds the last lines it wrote to stderr.

    `returncode` is negative when a signal ended the program, as in `subprocess`.
    """

    def __init__(self, program: str, returncode: int, log: str) -> None:
        super().__init__(f"{program} {self._cause(returncode)}: {log}")
        self.returncode = returncode
        self.log = log

    def _cause(self, returncode: int) -> str:
        return f"exited with {returncode}"


class ProcessKilled(ProcessFailed):
    """A signal ended the program, and no limit of ours explains it: a crash, or the OOM killer."""

    @property
    def signal(self) -> signal.Signals:
        return signal.Signals(-self.returncode)

    def _cause(self, returncode: int) -> str:
        return f"was killed by {signal.Signals(-returncode).name}"


class ProcessTimedOut(ProcessFailed):
    """The program took longer than `Limits.wall_seconds` and was killed."""

    def _cause(self, returncode: int) -> str:
        return "timed out"


class LimitExceeded(ProcessFailed):
    """The program reached one of its limits; `limit` says which."""

    def __init__(self, program: str, returncode: int, log: str, limit: Limit) -> None:
        self.limit = limit
        super().__init__(program, returncode, log)

    def _cause(self, returncode: int) -> str:
        return f"reached its limit on {self.limit}"


class LaunchFailed(ProcessFailed):
    """The program was never started: it is missing, or the launcher was refused something."""

    def _cause(self, returncode: int) -> str:
        return "could not be started"


async def run(
    argv: Sequence[str],
    limits: Limits,
    on_line: OnLine | None = None,
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> str:
    """Run a program to its end; what it wrote to stdout, or nothing if `on_line` took it.

    It can read itself, libraries and the files in `reads`, and write below the folders in
    `writes`, which it owns from now on where it runs as another user; nothing else of this
    machine, as far as the kernel allows (sandbox.py).

    Of the output at most OUTPUT_BYTES are kept. Raises a ProcessFailed: ProcessTimedOut,
    LimitExceeded, ProcessKilled, LaunchFailed, or itself for any other exit code. When the
    caller is cancelled the program's whole group is killed before this returns.
    """
    process = await asyncio.create_subprocess_exec(
        *await _launched(argv, limits, reads, writes),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(*writes),
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
        raise _failure(argv[0], code, _last_lines(log))
    return output


def _failure(program: str, code: int, log: str) -> ProcessFailed:
    """The failure that an exit code, negative for a signal, and the log prove."""
    if code == -signal.SIGXCPU:
        return LimitExceeded(program, code, log, "cpu_seconds")
    if code == -signal.SIGXFSZ or TOO_LARGE in log:
        return LimitExceeded(program, code, log, "file_bytes")
    if code < 0:
        return ProcessKilled(program, code, log)
    if code in NOT_STARTED:
        return LaunchFailed(program, code, log)
    if code == FFMPEG_OUT_OF_MEMORY or any(words in log for words in OUT_OF_MEMORY):
        return LimitExceeded(program, code, log, "memory_bytes")
    return ProcessFailed(program, code, log)


async def _launched(
    argv: Sequence[str], limits: Limits, reads: Sequence[Path], writes: Sequence[Path]
) -> list[str]:
    try:
        found = await asyncio.to_thread(sandbox)
    except SandboxMissing as missing:
        raise LaunchFailed(argv[0], 125, str(missing)) from missing
    bounds = [
        f"cpu={limits.cpu_seconds}",
        f"memory={limits.memory_bytes}",
        f"file={limits.file_bytes}",
    ]
    return launch_command(argv, bounds, found.features, reads, writes)


def clean_environment(*writes: Path) -> dict[str, str]:
    """Our environment without passwords and keys; the first folder of `writes` is for scratch."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return kept | ({"TMPDIR": str(writes[0])} if writes else {})


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
