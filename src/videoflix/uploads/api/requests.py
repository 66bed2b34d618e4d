"""Read the headers of upload requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from litestar import Request

from videoflix.platform.problems import UnsupportedMediaType
from videoflix.uploads import resumable
from videoflix.uploads.models import UploadKind
from videoflix.uploads.problems import (
    InconsistentLength,
    TusVersionUnsupported,
    UploadHeaderInvalid,
)
from videoflix.uploads.resumable import completeness_in, file_name_in
from videoflix.uploads.service import Announcement
from videoflix.uploads.service.receiving import Append
from videoflix.uploads.tus import (
    CONTENT_TYPE,
    VERSION,
    MalformedHeader,
    checksum_in,
    metadata_in,
    number_in,
    partials_in,
)

AnyRequest = Request[Any, Any, Any]


class Creation(msgspec.Struct, frozen=True):
    """A request to create an upload, perhaps with its first bytes, or from partial uploads."""

    announced: Announcement
    partial_ids: list[str]
    first: Append | None


@contextmanager
def header_problems() -> Iterator[None]:
    """Raises UploadHeaderInvalid for a malformed header."""
    try:
        yield
    except MalformedHeader as error:
        raise UploadHeaderInvalid(str(error)) from error


def require_tus(request: AnyRequest) -> None:
    """Raises TusVersionUnsupported."""
    if request.headers.get("tus-resumable") != VERSION:
        raise TusVersionUnsupported


def creation_in(request: AnyRequest) -> Creation:
    """Read a POST request, of tus or of the IETF's draft. Raises a problem."""
    with header_problems():
        if "tus-resumable" not in request.headers:
            completes = completeness_in(request.headers)
            if completes is not None:
                return _draft_creation_in(request, completes=completes)
        require_tus(request)
        raw = request.headers.get("upload-metadata", "")
        kind, partial_ids = _concatenation_in(request)
        length = None if kind is UploadKind.FINAL else _length_in(request)
        announced = Announcement(length, metadata_in(raw), raw, kind)
        has_bytes = _has_body(request)
        if has_bytes:
            _require_bytes(request)
        return Creation(announced, partial_ids, _append_in(request, 0) if has_bytes else None)


def _draft_creation_in(request: AnyRequest, *, completes: bool) -> Creation:
    first = _draft_append_in(request, 0, completes=completes)
    raw = request.headers.get("upload-metadata", "")
    metadata = metadata_in(raw)
    metadata.setdefault("filename", file_name_in(request.headers))
    announced = Announcement(first.length, metadata, raw)
    is_empty = not completes and not _has_body(request)
    return Creation(announced, [], None if is_empty else first)


def _draft_append_in(request: AnyRequest, offset: int, *, completes: bool) -> Append:
    """Read a request whose body is bytes, as the IETF's draft describes them."""
    length = number_in(request.headers, "upload-length")
    size = number_in(request.headers, "content-length")
    if completes and size is not None:
        if length not in {None, offset + size}:
            raise InconsistentLength
        length = offset + size
    return Append(offset, length, size, completes=completes)


def append_in(request: AnyRequest) -> Append:
    """Read a PATCH request, of tus or of the IETF's draft. Raises a problem."""
    with header_problems():
        if _content_type(request) != resumable.CONTENT_TYPE:
            require_tus(request)
            _require_bytes(request)
        offset = number_in(request.headers, "upload-offset")
        if offset is None:
            raise MalformedHeader("Send the header Upload-Offset.")
        if _content_type(request) != resumable.CONTENT_TYPE:
            return _append_in(request, offset)
        completes = completeness_in(request.headers)
        if completes is None:
            raise MalformedHeader("Send the header Upload-Complete: ?1 or ?0.")
        return _draft_append_in(request, offset, completes=completes)


def _content_type(request: AnyRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_bytes(request: AnyRequest) -> None:
    if _content_type(request) != CONTENT_TYPE:
        raise UnsupportedMediaType(f"Send the bytes as {CONTENT_TYPE}.")


def _append_in(request: AnyRequest, offset: int) -> Append:
    return Append(
        offset=offset,
        length=number_in(request.headers, "upload-length"),
        content_length=number_in(request.headers, "content-length"),
        checksum=checksum_in(request.headers.get("upload-checksum")),
    )


def _length_in(request: AnyRequest) -> int | None:
    length = number_in(request.headers, "upload-length")
    deferred = request.headers.get("upload-defer-length")
    if (length is None) is (deferred is None):
        raise MalformedHeader("Send either Upload-Length or Upload-Defer-Length.")
    if deferred not in {None, "1"}:
        raise MalformedHeader("Upload-Defer-Length has to be 1.")
    return length


def _concatenation_in(request: AnyRequest) -> tuple[UploadKind, list[str]]:
    value = request.headers.get("upload-concat")
    if value is None:
        return UploadKind.SINGLE, []
    if value == "partial":
        return UploadKind.PARTIAL, []
    if not value.startswith("final;"):
        raise MalformedHeader("Upload-Concat has to be “partial”, or “final;” and URLs.")
    return UploadKind.FINAL, partials_in(value)


def _has_body(request: AnyRequest) -> bool:
    sent = request.headers
    return sent.get("content-length", "0") != "0" or "transfer-encoding" in sent
