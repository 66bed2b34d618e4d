"""Fetch a file from a URL: addresses are checked when connecting, for each redirect again.

The connection is made to the address that was checked, so that a name cannot change in between.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin

import httpx

from videoflix.platform.outbound.addresses import AddressRefused, Network
from videoflix.platform.outbound.guarded_transport import GuardedTransport
from videoflix.uploads.source_url import (
    RemoteFile,
    SourceRefused,
    SourceUnavailable,
    check_url,
)

REDIRECTS_MAX = 5
TIMEOUT = httpx.Timeout(10, read=60)
REDIRECTS = {301, 302, 303, 307, 308}
# Content types that are no video files.
REFUSED_TYPES = re.compile(
    r"(text|image|font|multipart)/|application/(json|xml|xhtml|pdf|javascript)"
)
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
FILE_NAME = re.compile(r"filename\*?=(?:UTF-8'')?\"?([^\";]+)", re.I)


@asynccontextmanager
async def remote_file(
    url: str, start: int, validator: str, allowed: Sequence[Network]
) -> AsyncGenerator[RemoteFile]:
    """Request a file from byte `start` on, if it still is the one with this validator.

    Otherwise it begins at 0. Raises SourceRefused or SourceUnavailable.
    """
    headers = {
        "User-Agent": f"videoflix/{version('videoflix')}",
        "Accept-Encoding": "identity",
    }
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    async with httpx.AsyncClient(
        transport=GuardedTransport(allowed), timeout=TIMEOUT, headers=headers, trust_env=False
    ) as client:
        response = await _follow(client, url)
        try:
            yield _file_of(response)
        finally:
            await response.aclose()


async def _follow(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """Request a URL and its redirects; return the first other response, unread."""
    for _ in range(REDIRECTS_MAX + 1):
        check_url(url)
        try:
            response = await client.send(client.build_request("GET", url), stream=True)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise SourceUnavailable(f"The server cannot be reached ({_kind(error)}).") from error
        except AddressRefused as error:
            raise SourceRefused("The URL leads to an address that is not public.") from error
        if response.status_code not in REDIRECTS:
            return response
        await response.aclose()
        url = urljoin(url, response.headers.get("location", ""))
    raise SourceRefused(f"The URL redirects more than {REDIRECTS_MAX} times.")


def _file_of(response: httpx.Response) -> RemoteFile:
    status = response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }:
        raise SourceUnavailable(f"The server responded with status {status}.")
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        raise SourceRefused(f"The server responded with status {status}.")
    kind = response.headers.get("content-type", "").lower()
    if REFUSED_TYPES.match(kind):
        raise SourceRefused(f"The URL leads to {kind.partition(';')[0]}, not to a video file.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceRefused("The server compresses the file.")
    start, length = _extent(response)
    etag = response.headers.get("etag", "")
    is_strong = bool(etag) and not etag.startswith("W/")
    validator = etag if is_strong else response.headers.get("last-modified", "")
    return RemoteFile(start, length, _name_of(response), validator[:200], _blocks(response))


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Return the first byte, and the size of the whole file."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None:
            raise SourceRefused("The server sends parts of the file without saying which.")
        total = found.group(2)
        return int(found.group(1)), None if total == "*" else int(total)
    size = response.headers.get("content-length", "")
    return 0, int(size) if size.isdigit() else None


def _name_of(response: httpx.Response) -> str:
    found = FILE_NAME.search(response.headers.get("content-disposition", ""))
    if found:
        return unquote(found.group(1).strip())
    return unquote(PurePosixPath(response.url.path).name)


async def _blocks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for block in response.aiter_raw():
            yield block
    except httpx.TransportError as error:
        raise SourceUnavailable(f"The connection was lost ({_kind(error)}).") from error


def _kind(error: Exception) -> str:
    return type(error).__name__
