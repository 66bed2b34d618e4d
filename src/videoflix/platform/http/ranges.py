"""Parts of files over HTTP (RFC 9110, section 14): players jump about in films."""

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
    """The file ends before this range begins."""

    status: ClassVar = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()

    def response_headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes */{self.size}"}


class FileNotFound(NotFound):
    """This file is not there any more; open the film again."""

    slug: ClassVar[str] = "file-gone"


async def serve(
    request: Request[Any, Any, Any],
    key: str,
    size: int,
    media_type: str,
    cache: str,
    still_allowed: Callable[[], Awaitable[None]] | None = None,
) -> Response[Any]:
    """A stored object, or the part of it that is asked for; it flows as fast as it is read.

    Keys are never written twice, so the key is as good as a hash. `still_allowed` is asked before
    each further part; where it raises, the answer breaks off. Raises RangeUnsatisfiable or
    FileNotFound.
    """
    etag = f'"{key.rsplit("/", 2)[-2]}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": cache}
    known = request.headers.get("if-none-match", "")
    if etag in [part.strip().removeprefix("W/") for part in known.split(",")]:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    wanted = requested_range(request, etag, size)
    if wanted is not None and not wanted:
        raise RangeUnsatisfiable(size)
    start, end = (wanted.start, wanted.stop) if wanted else (0, size)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    status = HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK
    if request.method == "HEAD":
        return Response(b"", status_code=status, media_type=media_type, headers=headers)
    first = await _part(key, start, end)
    content = _parts(key, first, start, end, still_allowed)
    return Stream(content, status_code=status, media_type=media_type, headers=headers)


def requested_range(request: Request[Any, Any, Any], etag: str, size: int) -> range | None:
    """`byte_range` of a request's Range header, unless If-Range names another version."""
    if request.headers.get("if-range", etag) != etag:
        return None
    return byte_range(request.headers.get("range", ""), size)


def byte_range(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for, of `size` bytes.

    Empty if the range is unsatisfiable; None for the whole, as for a header that must be ignored
    (no `bytes`, or invalid) or may be (several ranges).
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
