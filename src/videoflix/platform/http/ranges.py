"""Range requests on stored objects (RFC 9110, section 14)."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from typing import Any, ClassVar

from litestar import Request, Response
from litestar.response import Stream

from videoflix.platform.problems import NotFound, Problem
from videoflix.platform.storage.media_storage import media_storage

READ_BYTES = 1024 * 1024
RANGES_SPECIFIER = re.compile(r"bytes=(.*)", re.IGNORECASE)
BYTE_RANGE = re.compile(r"([0-9]{0,1000})-([0-9]{0,1000})")


class RangeUnsatisfiable(Problem):
    """The range starts beyond the end of the file."""

    status: ClassVar = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()

    def response_headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes */{self.size}"}


class FileNotFound(NotFound):
    """This file is no longer available; open the film again."""

    slug: ClassVar[str] = "file-gone"


async def serve(
    request: Request[Any, Any, Any],
    key: str,
    size: int,
    media_type: str,
    cache: str,
    still_allowed: Callable[[], Awaitable[None]] | None = None,
) -> Response[Any]:
    """Stream an object or the requested range, with backpressure.

    Objects are immutable, so the key serves as a strong ETag. `still_allowed` is called before each
    further block and aborts the response by raising. Raises RangeUnsatisfiable or FileNotFound.
    """
    etag = f'"{key.rsplit("/", 2)[-2]}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": cache}
    known = request.headers.get("if-none-match", "")
    if etag in [part.strip().removeprefix("W/") for part in known.split(",")]:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    requested = requested_range(request, etag, size)
    if requested is not None and not requested:
        raise RangeUnsatisfiable(size)
    start, end = (requested.start, requested.stop) if requested else (0, size)
    if requested:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    status = HTTPStatus.PARTIAL_CONTENT if requested else HTTPStatus.OK
    if request.method == "HEAD":
        return Response(b"", status_code=status, media_type=media_type, headers=headers)
    first = await _part(key, start, end)
    content = _parts(key, first, start, end, still_allowed)
    return Stream(content, status_code=status, media_type=media_type, headers=headers)


def requested_range(request: Request[Any, Any, Any], etag: str, size: int) -> range | None:
    """Return the requested range, or None if If-Range does not match."""
    if request.headers.get("if-range", etag) != etag:
        return None
    return byte_range(request.headers.get("range", ""), size)


def byte_range(header: str, size: int) -> range | None:
    """Parse a Range header for an object of `size` bytes.

    Return an empty range if it is unsatisfiable, and None for the whole object, also for headers
    that must be ignored (another unit, or invalid) or may be (multiple ranges).
    """
    specifier = RANGES_SPECIFIER.fullmatch(header.strip())
    if specifier is None:
        return None
    # A list may have empty elements (RFC 9110, section 5.6.1.2).
    ranges = [part for part in map(str.strip, specifier[1].split(",")) if part]
    found = BYTE_RANGE.fullmatch(ranges[0]) if len(ranges) == 1 else None
    if found is None or found[0] == "-":
        return None
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


async def _part(key: str, start: int, end: int) -> bytes:
    try:
        return await media_storage().read(key, start, min(READ_BYTES, end - start))
    except FileNotFoundError as error:
        raise FileNotFound from error


async def _parts(
    key: str,
    first: bytes,
    start: int,
    end: int,
    still_allowed: Callable[[], Awaitable[None]] | None,
) -> AsyncGenerator[bytes]:
    yield first
    start += len(first)
    while start < end:
        if still_allowed is not None:
            await still_allowed()
        data = await _part(key, start, end)
        yield data
        start += len(data)
