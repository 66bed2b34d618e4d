"""What can go wrong with the media storage, told apart by what somebody can do about it."""

import logging
from http import HTTPStatus
from typing import ClassVar

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from videoflix.platform.problems import Problem

# How stores and systems say that a disk, a quota or a limit on files is used up.
NO_ROOM = ("no space left", "quota", "file too large", "entitytoolarge", "storagefull")
# How buckets say that waiting will not help: STORAGE_URL, the region or the keys are wrong.
MISCONFIGURED = (
    "nosuchbucket",
    "accessdenied",
    "invalidaccesskeyid",
    "signaturedoesnotmatch",
    "permanentredirect",
    "authorizationheadermalformed",
    "403 forbidden",
    "401 unauthorized",
    "builder error",  # http:// without AWS_ALLOW_HTTP
)

logger = logging.getLogger(__name__)


class StorageProblem(Problem):
    """The media storage did not do what it was asked to; nothing is wrong with the file."""

    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "10"}


class StorageFull(StorageProblem):
    """There is no room left for this file; ask the operator to free some."""

    status: ClassVar = HTTPStatus.INSUFFICIENT_STORAGE


class StorageUnavailable(StorageProblem):
    """The media storage cannot be reached right now; try again shortly."""


class StorageMisconfigured(StorageUnavailable):
    """The media storage refuses access; the operator has to correct its settings."""


class translated_errors:  # noqa: N801 - a context manager reads as a verb phrase
    """Turn the errors of stores and systems into a StorageProblem.

    FileNotFoundError passes, unless it is the bucket that is missing. The cause is logged in one
    line, because answers do not show it: it names hosts and folders.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, BaseError | OSError):
            return  # a TimeoutError is an OSError
        problem = problem_of(error)
        if problem is None:
            return
        logger.warning("media storage: %s: %s", type(problem).__name__, first_line(error))
        raise problem from error


def problem_of(error: BaseException) -> StorageProblem | None:
    """What an error means; None when it only means that there is no such object."""
    text = str(error).lower()
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return StorageMisconfigured()
    if any(word in text for word in MISCONFIGURED):
        return StorageMisconfigured()
    if isinstance(error, FileNotFoundError):
        return None
    if any(word in text for word in NO_ROOM):
        return StorageFull()
    return StorageUnavailable()


def first_line(error: BaseException) -> str:
    """An error in one line; stores add pages of their internals."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:500]
