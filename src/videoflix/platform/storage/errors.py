"""Classification of media storage errors by what can be done about them."""

import logging
from http import HTTPStatus
from typing import ClassVar

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from videoflix.platform.problems import Problem

# Messages of stores and systems for a full disk, quota or file size limit.
NO_ROOM = ("no space left", "quota", "file too large", "entitytoolarge", "storagefull")
# Messages of buckets for permanent errors: wrong STORAGE_URL, region or credentials.
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
# What an operator can do, by words in the messages of stores and systems.
ADVICE = {
    "nosuchbucket": "The bucket does not exist: create it, or correct STORAGE_URL.",
    "invalidaccesskeyid": "The access key is unknown: correct AWS_ACCESS_KEY_ID.",
    "signaturedoesnotmatch": "The secret key is wrong: correct AWS_SECRET_ACCESS_KEY.",
    "permanentredirect": "The bucket is in another region: correct AWS_REGION.",
    "authorizationheadermalformed": "The bucket is in another region: correct AWS_REGION.",
    "accessdenied": "The key lacks rights: let it list, read, write and delete in the bucket.",
    "builder error": "The URL is not https: set AWS_ALLOW_HTTP=true if that is intended.",
    "tcp connect error": "No server listens there: correct AWS_ENDPOINT_URL, or start it.",
    "timeout": "It did not answer in time: is it overloaded, or is the timeout too short?",
    "timed out": "It did not answer in time: is it overloaded, or is the timeout too short?",
}
OTHER_ADVICE = "Make it writable for this user, or check STORAGE_URL and the AWS_… variables."

logger = logging.getLogger(__name__)


class StorageProblem(Problem):
    """The media storage failed; nothing is wrong with the file."""

    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "10"}


class StorageFull(StorageProblem):
    """There is not enough space for this file; ask the operator to free some."""

    status: ClassVar = HTTPStatus.INSUFFICIENT_STORAGE


class StorageUnavailable(StorageProblem):
    """The media storage cannot be reached right now; try again shortly."""


class StorageMisconfigured(StorageUnavailable):
    """The media storage refuses access; the operator has to correct its settings."""


class translated_errors:  # noqa: N801 - a context manager reads as a verb phrase
    """Translate the errors of stores and systems to a StorageProblem.

    FileNotFoundError is passed on, unless the bucket is missing. The cause is logged in one
    line and not included in responses, because it names hosts and folders.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, BaseError | OSError):
            return  # a TimeoutError is an OSError
        problem = problem_of(error)
        if problem is None:
            return
        name, reason = type(problem).__name__, first_line(error)
        logger.warning("media storage: %s: %s (%s)", name, reason, advice(error))
        raise problem from error


def problem_of(error: BaseException) -> StorageProblem | None:
    """Classify an error; None if it only means that the object does not exist."""
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


def advice(error: BaseException) -> str:
    """Return what an operator can do about an error."""
    text = f"{type(error).__name__} {error}".lower()
    return next((found for words, found in ADVICE.items() if words in text), OTHER_ADVICE)


def first_line(error: BaseException) -> str:
    """Return the first line of an error, as stores append their internals."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:500]
