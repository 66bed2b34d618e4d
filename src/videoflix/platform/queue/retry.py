"""Tells failures of the machine from failures of a job.

A job ends badly for one of three reasons, and the type of the exception says which:

- `TransientError`, or what `as_transient` takes for one: this machine, or a service it needs,
  is at fault. No attempt is spent; the job is tried again after a backoff.
- A domain's own verdict on its input, such as `SourceRejected` of the media: handlers catch it.
- Anything else is a bug of ours. The attempt counts, and after the last one the job is dead.
"""

import errno

from videoflix.platform.postgres.session import database_unavailable
from videoflix.platform.storage.media_storage import StorageFull, StorageUnavailable

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
# A disk that is read-only or broken, or a process or system that ran out of something.
BROKEN = {errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class TransientError(Exception):
    """The machine or a service it needs failed, not the job: no attempt is spent.

    `code` is stable and in kebab case, `reason` a sentence for people. `suspicious` is true where
    the job itself may have brought the machine down, such as a child that ran out of memory: a
    domain may count those.
    """

    def __init__(self, code: str, reason: str, *, suspicious: bool = False) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.suspicious = suspicious


class StallLimitReached(Exception):
    """A domain waits no longer for its machine: the job is dead, whatever attempts are left.

    `code` and `reason` are those of TransientError.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def to_transient(error: BaseException) -> TransientError | None:
    """The fault of the machine that an error tells of, or None when it is none."""
    if isinstance(error, TransientError):
        return error
    found = _described(error)
    return None if found is None else TransientError(*found)


def _described(error: BaseException) -> tuple[str, str] | None:
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
        return "machine-fault", "The worker's machine reports an error of its disk or its limits."
    return None
