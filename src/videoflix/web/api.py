"""The built-in pages: everything they need is read once, and served from memory by known name."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from videoflix.platform.problems import NotFound

STATIC = Path(__file__).parent / "static"
PAGES = {"/": "index.html", "/admin": "admin.html", "/mail": "mail.html"}

# hls.js plays from blob: addresses that it makes itself; nothing else leaves our own origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FOR_EVER = "public, max-age=31536000, immutable"
CHECK_AGAIN = "no-cache"


class PageNotFound(NotFound):
    """There is no such page."""


class StaticFile(msgspec.Struct, frozen=True):
    """A file in memory; versioned ones may be cached for ever."""

    content: bytes
    media_type: str
    etag: str
    cache_control: str


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    text = kind.startswith("text/") or kind.endswith(("javascript", "json", "svg+xml"))
    return StaticFile(
        content=content,
        media_type=f"{kind}; charset=utf-8" if text else kind,
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        cache_control=FOR_EVER if "vendor" in path.parts else CHECK_AGAIN,
    )


FILES = {
    path.relative_to(STATIC).as_posix(): _read(path) for path in STATIC.rglob("*") if path.is_file()
}


def answer(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """A file, or 304 when the browser already has this very one. Raises PageNotFound."""
    file = FILES.get(name)
    if file is None:
        raise PageNotFound
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, **SECURITY_HEADERS}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


@route(
    list(PAGES),
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    include_in_schema=False,
    sync_to_thread=False,
)
def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """One of the built-in pages."""
    return answer(PAGES[request.url.path.rstrip("/") or "/"], request)


@route(
    "/assets/{name:path}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    include_in_schema=False,
    sync_to_thread=False,
)
def show_asset(request: Request[Any, Any, Any], name: FromPath[Path]) -> Response[bytes]:
    """A script, style, picture or library of the pages."""
    return answer(name.as_posix().removeprefix("/"), request)


page_handlers: list[HTTPRouteHandler] = [show_page, show_asset]
