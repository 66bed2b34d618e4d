"""Run programs on untrusted files, with resource limits and without leaving processes behind.

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

# Variables passed on; others may hold passwords and keys.
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
OUTPUT_BYTES = 32 * 1024 * 1024
LOG_LINES = 30
LOG_BYTES = 16 * 1024
LINE_MAX = 1 << 20

# Exit codes of launcher.py if the program was not started, as of env(1) and timeout(1).
NOT_STARTED = {125, 126, 127}
# Messages of ffmpeg, x264 and Python when an allocation fails; 244 is AVERROR(ENOMEM) as an
# exit code.
OUT_OF_MEMORY = ("Cannot allocate memory", "MemoryError", "malloc of size")
FFMPEG_OUT_OF_MEMORY = 244
# EFBIG, reported by programs that ignore SIGXFSZ.
TOO_LARGE = "File too large"

OnLine = Callable[[str], Awaitable[None] | None]
Limit = Literal["cpu_seconds", "memory_bytes", "file_bytes"]


class Limits(msgspec.Struct, frozen=True):
    """Resource limits of a program; `file_bytes` applies to each file it writes."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    file_bytes: int


class ProcessFailed(Exception):
    """The program did not exit with 0; `log` holds the last lines of its stderr.

    `returncode` is negative if a signal ended the program, as in `subprocess`.
    """

    def __init__(self, program: str, returncode: int, log: str) -> None:
        super().__init__(f"{program} {self._cause(returncode)}: {log}")
        self.returncode = returncode
        self.log = log

    def _cause(self, returncode: int) -> str:
        return f"exited with {returncode}"


class ProcessKilled(ProcessFailed):
    """A signal other than that of a limit ended the program: a crash, or the OOM killer."""

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
    """The program exceeded one of its limits, named by `limit`."""

    def __init__(self, program: str, returncode: int, log: str, limit: Limit) -> None:
        self.limit = limit
        super().__init__(program, returncode, log)

    def _cause(self, returncode: int) -> str:
        return f"exceeded its limit on {self.limit}"


class LaunchFailed(ProcessFailed):
    """The program was not started: it is missing, or the sandbox could not be set up."""

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
    """Run a program; return its stdout, or "" if `on_line` consumes it line by line.

    The program can read itself, libraries and the files in `reads`, and write below the folders
    in `writes`, whose owner may change to the sandbox's account. Everything else is inaccessible,
    as far as the kernel supports it (sandbox.py).
    At most OUTPUT_BYTES of output are kept. Raises ProcessTimedOut, LimitExceeded,
    ProcessKilled, LaunchFailed, or ProcessFailed for any other exit code. On cancellation the
    program's process group is killed before this returns.
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
            raise  # raised by on_line
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
    """Classify a failure by exit code (negative for a signal) and log."""
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
    """Return the allow-listed environment; TMPDIR is the first folder of `writes`."""
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
