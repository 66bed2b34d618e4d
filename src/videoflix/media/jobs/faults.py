"""Classify failures: the file, this machine, or a bug.

`classify_faults()` turns faults of the machine into a TransientError, which does not use up an
attempt. Other errors pass through and do: the file is at fault, or there is a bug.
"""

import asyncio
import hashlib
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from videoflix.media.ffmpeg import FFmpegMissing
from videoflix.media.fmp4 import InvalidOutput
from videoflix.media.poster import PosterFailed
from videoflix.media.self_tests import encoder_fault
from videoflix.media.unqueued import UnqueuedWork
from videoflix.platform.postgres.session import transaction
from videoflix.platform.process.run import (
    LaunchFailed,
    LimitExceeded,
    ProcessFailed,
    ProcessKilled,
)
from videoflix.platform.process.scratch import scratch_folder
from videoflix.platform.queue import Job, TransientError, to_transient
from videoflix.platform.queue.retry import StallLimitReached
from videoflix.platform.storage.media_storage import StorageFull

J = TypeVar("J", bound=Job)

# Signals of a crash, as opposed to a kill by the kernel when memory runs out.
CRASHES = {
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGBUS,
    signal.SIGSYS,
    signal.SIGTRAP,
}
# Error messages of a disk or mount that has disappeared.
DISK_GONE = (
    "Permission denied",
    "Read-only file system",
    "Stale file handle",
    "Transport endpoint",
    "No such file or directory",
    "Too many open files",
)
READ_BYTES = 1 << 20


class SourceUnavailable(TransientError):
    """The uploaded file cannot be read, or differs from what was uploaded."""

    def __init__(self) -> None:
        super().__init__(
            "source-unavailable",
            "The uploaded file cannot be read from the media storage right now.",
        )


@asynccontextmanager
async def classify_faults() -> AsyncGenerator[None]:
    """Convert faults of the machine. Raises TransientError."""
    try:
        yield
    except (ProcessFailed, InvalidOutput, PosterFailed) as error:
        if fault := await machine_fault(error):
            raise fault from error
        raise
    except FFmpegMissing as error:
        raise TransientError("ffmpeg-missing", str(error)) from error
    except StorageFull as error:
        if isinstance(error.__cause__, ProcessFailed | InvalidOutput | FileNotFoundError):
            raise _scratch_full() from error
        raise
    except OSError as error:
        if fault := to_transient(error):
            raise fault from error
        reason = "A disk or service that the worker needs is not working."
        raise TransientError("machine-fault", reason) from error


def with_classified_faults(
    handler: Callable[[J], Awaitable[None]],
) -> Callable[[J], Awaitable[None]]:
    """Wrap a handler in `classify_faults`."""

    @wraps(handler)
    async def handle(job: J) -> None:
        async with classify_faults():
            await handler(job)

    return handle


async def wait_bounded(job: Job, fault: TransientError) -> None:
    """Wait for the machine to recover; for optional work such as posters.

    Raises StallLimitReached after STALL_MAX_HOURS.
    """
    async with transaction() as session:
        is_too_long = await UnqueuedWork(session).waited_too_long(job)
    if is_too_long:
        raise StallLimitReached(fault.code, f"{fault.reason} The problem has lasted too long.")


async def machine_fault(error: Exception) -> TransientError | None:
    """Find out whether the machine caused an error; None if not."""
    if isinstance(error, LaunchFailed):
        return TransientError("ffmpeg-missing", "The encoder cannot be started.")
    if isinstance(error, ProcessFailed) and any(words in error.log for words in DISK_GONE):
        return TransientError(
            "machine-fault", "A disk of the worker became unavailable while encoding."
        )
    if fault := await _failed_test():
        return TransientError(
            "encoder-broken",
            f"The worker's ffmpeg cannot encode any file: {fault.rstrip('.')}.",
        )
    # The machine encodes the sample, so this file may be the cause.
    if isinstance(error, ProcessKilled) and error.signal not in CRASHES:
        reason = "The encoder was killed by the system, most likely because memory ran out."
        return TransientError("encoder-killed", reason, suspicious=True)
    if isinstance(error, LimitExceeded) and error.limit == "memory_bytes":
        reason = "The encoder ran out of memory."
        return TransientError("out-of-memory", reason, suspicious=True)
    return None


async def _failed_test() -> str:
    try:
        with TemporaryDirectory(dir=await asyncio.to_thread(scratch_folder)) as name:
            return await encoder_fault(Path(name))
    except OSError as error:
        return f"its scratch folder cannot be used ({error.strerror})"


def _scratch_full() -> TransientError:
    reason = "The worker's scratch disk is full; encoding resumes when there is space."
    return TransientError("scratch-full", reason)


async def check_size(source: Path, size: int) -> None:
    """Raises SourceUnavailable unless the file exists and has the uploaded size in bytes."""
    try:
        found = (await asyncio.to_thread(source.stat)).st_size
    except OSError as error:
        raise SourceUnavailable from error
    if found != size:
        raise SourceUnavailable


async def check_content(source: Path, sha256: str) -> None:
    """Read the whole file and compare its checksum. Raises SourceUnavailable.

    With an empty `sha256`, nothing is compared.
    """
    try:
        found = await asyncio.to_thread(_sha256, source)
    except OSError as error:
        raise SourceUnavailable from error
    if sha256 and found != sha256:
        raise SourceUnavailable


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while data := opened.read(READ_BYTES):
            digest.update(data)
    return digest.hexdigest()
