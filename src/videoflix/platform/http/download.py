"""Streaming downloads of large objects, resumable by Range."""

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any, ClassVar

from litestar import Request
from litestar.response import Stream

from videoflix.platform.http.ranges import requested_range
from videoflix.platform.problems import Problem
from videoflix.platform.storage.media_storage import media_storage


class RangeNotSatisfiable(Problem):
    """The range is beyond the end of the file."""

    status: ClassVar = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"The file has {size} bytes.")

    def response_headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes */{self.size}"}


async def download(
    request: Request[Any, Any, Any], key: str, size: int, *, name: str, media_type: str
) -> Stream:
    """Stream an object as an attachment. Raises RangeNotSatisfiable or FileNotFoundError."""
    etag = f'"{key.replace("/", "-")}"'  # objects are immutable
    requested = requested_range(request, etag, size)
    if requested is not None and not requested:
        raise RangeNotSatisfiable(size)
    start, end = (requested.start, requested.stop) if requested else (0, size)
    chunks = media_storage().stream(key, start, end)
    first = await anext(chunks, b"")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(end - start),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "ETag": etag,
    }
    status = HTTPStatus.OK
    if end - start < size:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Stream(
        _all_of(first, chunks), media_type=media_type, headers=headers, status_code=status
    )


async def _all_of(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
