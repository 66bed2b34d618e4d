"""Supervised child processes: restarted with backoff, and stopped in order."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from videoflix.platform.observability.log_handlers import LogFile
from videoflix.platform.process.parent_death import with_parent_death_signal

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 30.0  # after this uptime, the backoff is reset
GRACE_SECONDS = 25.0  # more than HTTP_SHUTDOWN_SECONDS
LOG_BYTES = 5_000_000
LONGEST_LINE = 65_536

# -P: the working folder must not shadow our modules.
PYTHON = (sys.executable, "-P")

Show = Callable[[str, str], None]


class SupervisedProcess:
    """A child process that `keep_running()` restarts until it is cancelled.

    Its output goes to `show(name, line)` and a log file; it ends with us (parent_death.py).
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        show: Show,
        logs: Path,
        force_stop: asyncio.Event,
    ) -> None:
        self.name = name
        self.exits = 0
        self._command = command
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._show = show
        self._log = LogFile(logs / f"{name}.log", maxBytes=LOG_BYTES, backupCount=1, delay=True)
        self._force_stop = force_stop

    async def keep_running(self) -> None:
        """Run until cancelled, then stop with SIGTERM, or SIGKILL once `force_stop` is set."""
        pause = FIRST_PAUSE
        try:
            while True:
                began = time.monotonic()
                ended = await self._run_once()
                self.exits += 1
                steady = time.monotonic() - began > STEADY_SECONDS
                pause = FIRST_PAUSE if steady else min(pause * 2, LONGEST_PAUSE)
                self._log_exit(f"stopped ({ended}), restarting in {pause:g} s")
                await asyncio.sleep(pause)
        finally:
            with suppress(OSError):  # a full disk: flushing the buffer fails
                self._log.close()

    async def _run_once(self) -> str:
        """Run the process once; return why it ended."""
        try:
            return exit_reason(await self._run())
        except OSError as error:  # out of processes or memory: retry later
            return f"could not start: {error}"

    async def _run(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *with_parent_death_signal(self._command, signal.SIGKILL),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,  # Ctrl-C must reach this process only, to stop in order
        )
        follower = asyncio.create_task(self._follow(process))
        try:
            return await process.wait()
        finally:
            await end(process, self._force_stop)
            await asyncio.wait([follower], timeout=1)  # a grandchild may keep the pipe open
            follower.cancel()

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout  # noqa: S101 - it was started with a pipe
        rest = b""
        while chunk := await process.stdout.read(LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            if lines:
                self._log_exit(*[line.decode(errors="replace").rstrip() for line in lines])
        if rest:
            self._log_exit(rest.decode(errors="replace"))

    def _log_exit(self, *lines: str) -> None:
        """Show lines, and write them to the log file together."""
        for line in lines:
            self._show(self.name, line)
        text = "\n".join(line if line.startswith("{") else stamped(line) for line in lines)
        self._log.emit(logging.makeLogRecord({"msg": text}))


def stamped(line: str) -> str:
    """Prefix a line with a timestamp, which structured lines already have."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}"


async def end(process: asyncio.subprocess.Process, force_stop: asyncio.Event) -> None:
    """Terminate a process; kill its group after GRACE_SECONDS, or once `force_stop` is set."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    forced = asyncio.create_task(force_stop.wait())
    waiting = asyncio.create_task(process.wait())
    await asyncio.wait(
        [waiting, forced], timeout=GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    forced.cancel()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await waiting


def exit_reason(code: int) -> str:
    """Describe an exit code: `exit code 1`, or `SIGKILL` for -9."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
