"""Send the bytes of a stored object, or have the proxy, the bucket or a CDN send them.

Clients request ranges themselves: a redirect keeps their Range header, and proxies obey it.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from litestar import Request, Response

from videoflix.platform.http.ranges import serve
from videoflix.platform.storage.signed_urls import signed_url
from videoflix.settings import settings

# A cached redirect would outlive a revocation, and its own URL.
REDIRECT = {"Cache-Control": "private, no-store"}


def is_delegated() -> bool:
    """Whether others than this process send the bytes of videos."""
    return settings.delivery != "app"


async def deliver(
    request: Request[Any, Any, Any],
    key: str,
    size: int,
    media_type: str,
    cache: str,
    still_allowed: Callable[[], Awaitable[None]] | None = None,
) -> Response[Any]:
    """Deliver an object as DELIVERY says; the caller has authorized the request.

    `still_allowed` aborts a transfer of this process when access is revoked; others complete
    theirs. Raises RangeUnsatisfiable, FileNotFound or a StorageProblem.
    """
    if settings.delivery == "accel":
        prefix = settings.delivery_accel_prefix.rstrip("/")
        headers = {settings.delivery_accel_header: f"{prefix}/{quote(key)}", "Cache-Control": cache}
        return Response(b"", media_type=media_type, headers=headers)
    # A presigned URL is valid for GET only.
    if settings.delivery in {"presigned", "cdn"} and request.method != "HEAD":
        headers = {"Location": await signed_url(key), **REDIRECT}
        return Response(b"", status_code=HTTPStatus.FOUND, media_type=media_type, headers=headers)
    return await serve(request, key, size, media_type, cache, still_allowed)
