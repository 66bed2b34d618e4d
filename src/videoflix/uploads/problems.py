"""Problems of resumable uploads."""

from enum import IntEnum
from http import HTTPStatus
from typing import ClassVar

from videoflix.platform.problems import BadRequest, Conflict, Forbidden, NotFound, Problem


class TusStatus(IntEnum):
    """Status codes that only tus defines."""

    CHECKSUM_MISMATCH = 460


class UploadNotFound(NotFound):
    """This upload doesn't exist, was removed, or belongs to another account."""


class UploadLinkNotFound(NotFound):
    """This upload link doesn't exist, or has expired, was revoked or used up."""


class ImportRefused(BadRequest):
    """Files cannot be imported from this URL."""


class UploadExpired(Problem):
    """This upload has expired; upload the file again."""

    status: ClassVar = HTTPStatus.GONE


class BytesLost(Problem):
    """The storage has lost bytes of this upload; upload the file again."""

    status: ClassVar = HTTPStatus.GONE


class OffsetMismatch(Conflict):
    """Upload-Offset is not where this upload continues; request the offset again."""

    def __init__(self, expected: int, provided: int) -> None:
        self._expected = expected
        super().__init__(
            f"This upload continues at {expected}, not at {provided}.",
            **{"expected-offset": expected, "provided-offset": provided},
        )

    def response_headers(self) -> dict[str, str]:
        return {"Upload-Offset": str(self._expected), "Upload-Complete": "?0"}


class InconsistentLength(BadRequest):
    """The announced length differs from one announced before, or from the bytes that were sent."""


class UploadSuperseded(Conflict):
    """Another request has continued this upload; request the offset again."""


class UploadAlreadyComplete(Conflict):
    """This upload is complete already."""


class UploadLocked(Problem):
    """Another request is sending to this upload; try again shortly."""

    status: ClassVar = HTTPStatus.LOCKED
    headers: ClassVar = {"Retry-After": "2"}


class UploadInterrupted(Problem):
    """The server restarts; what has arrived is stored. Request the offset, and continue."""

    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar = {"Retry-After": "1"}


class ChecksumMismatch(Problem):
    """The checksum does not match the bytes of this request, which were discarded."""

    status: ClassVar[IntEnum] = TusStatus.CHECKSUM_MISMATCH


class TusVersionUnsupported(Problem):
    """Send the header Tus-Resumable: 1.0.0."""

    status: ClassVar = HTTPStatus.PRECONDITION_FAILED
    headers: ClassVar = {"Tus-Version": "1.0.0"}


class UploadHeaderInvalid(BadRequest):
    """A header of the upload is missing or malformed."""


class LengthExceeded(Problem):
    """The request has more bytes than were announced for this upload."""

    status: ClassVar = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class ConcatenationImpossible(BadRequest):
    """These uploads cannot be concatenated: each has to be complete, partial and unused."""


class FinalUploadClosed(Forbidden):
    """A concatenation receives no bytes; it consists of its partial uploads."""


class UploadQuotaExceeded(Forbidden):
    """You have reached the limit of uploads."""
