"""Classify errors of jobs: transient, domain error or bug.

The type of the exception decides:
- `TransientError`, or what `to_transient` maps to one: this machine, or a service it needs,
  failed. The attempt does not count; the job is retried with backoff.
- A domain error about the input, such as `SourceRejected` of the media: handlers catch it.
- Anything else is a bug. The attempt counts, and after the last one the job is dead-lettered.
"""

import errno

from videoflix.platform.postgres.session import database_unavailable
from videoflix.platform.storage.media_storage import StorageFull, StorageUnavailable

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
# A read-only or broken disk, or exhausted file descriptors or memory.
BROKEN = {errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class TransientError(Exception):
    """The machine or a service it needs failed, not the job: the attempt does not count.

    `code` is stable and in kebab case, `reason` a sentence for operators. `suspicious` is true
    if the job itself may be the cause, such as a child process that ran out of memory: a
    domain may limit those.
    """

    def __init__(self, code: str, reason: str, *, suspicious: bool = False) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.suspicious = suspicious


class StallLimitReached(Exception):
    """A domain gave up after transient errors: the job is dead-lettered, attempts left or not.

    `code` and `reason` are those of TransientError.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def to_transient(error: BaseException) -> TransientError | None:
    """Map an error to a TransientError, or return None if it is not transient."""
    if isinstance(error, TransientError):
        return error
    found = _classify(error)
    return None if found is None else TransientError(*found)


def _classify(error: BaseException) -> tuple[str, str] | None:
    if isinstance(error, StorageFull):
        return "storage-full", "The media storage is full; work resumes when there is room."
    if isinstance(error, StorageUnavailable):
        return "storage-unavailable", "The media storage cannot be reached right now."
    if database_unavailable(error):
        return "database-unavailable", "The database cannot be reached right now."
    if isinstance(error, MemoryError):
        return "out-of-memory", "The worker ran out of memory."
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return "disk-full", "A disk of the worker is full; work resumes when there is room."
    if isinstance(error, OSError) and error.errno in BROKEN:
        return "machine-fault", "The worker's machine reports a disk error or exhausted limits."
    return None
