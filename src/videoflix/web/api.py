"""The built-in pages, read at start and served from memory."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER, HTTP_403_FORBIDDEN, HTTP_404_NOT_FOUND

from videoflix.platform.auth.identity import Identity, Role
from videoflix.platform.problems import NotFound, http_error_response
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.storage.signed_urls import delivery_origin

STATIC = Path(__file__).parent / "static"
# The sections of the admin panel, and the role each requires.
SECTIONS = {
    "titles": Role.EDITOR,
    "categories": Role.EDITOR,
    "jobs": Role.ADMIN,
    "assets": Role.ADMIN,
    "votes": Role.ADMIN,
    "users": Role.ADMIN,
    "memberships": Role.ADMIN,
    "plans": Role.ADMIN,
    "invoices": Role.ADMIN,
    "webhooks": Role.ADMIN,
    "audit": Role.ADMIN,
    "settings": Role.ADMIN,
}

# hls.js plays from blob: URLs that it creates; everything else must come from our own origin, but
# for videos that DELIVERY has a bucket or a CDN send.
BYTES_FROM = f"'self' {delivery_origin()}".rstrip()
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    f"media-src {BYTES_FROM} blob: data:; connect-src {BYTES_FROM}; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
READ = [HttpMethod.GET, HttpMethod.HEAD]


class PageNotFound(NotFound):
    """This page doesn't exist."""


class StaticFile(msgspec.Struct, frozen=True):
    """A static file in memory; versioned ones are immutable."""

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
        cache_control=FOR_EVER if "vendor" in path.parts else REVALIDATE,
    )


FILES = {
    path.relative_to(STATIC).as_posix(): _read(path) for path in STATIC.rglob("*") if path.is_file()
}


def static_file(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Send a file, or 304 if the ETag matches. Raises PageNotFound."""
    file = FILES.get(name)
    if file is None:
        raise PageNotFound
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, **SECURITY_HEADERS}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def staff_page(name: str, request: Request[Any, Any, Any], role: Role) -> Response[Any]:
    """Send a page that requires a role; redirect to sign-in, and back afterwards.

    The page itself holds no secrets: its data comes from the API, which authorizes each request.
    """
    reader: Identity | None = request.user
    if reader is None:
        target = quote(request.url.path + (f"?{query}" if (query := request.url.query) else ""))
        headers = {"Cache-Control": "no-store", **SECURITY_HEADERS}
        return Redirect(f"/?next={target}", status_code=HTTP_303_SEE_OTHER, headers=headers)
    if reader.may(role):
        return static_file(name, request)
    page = static_file("forbidden.html", request)
    page.status_code = HTTP_403_FORBIDDEN
    return page


@route("/", http_method=READ, include_in_schema=False, opt=UNLIMITED, sync_to_thread=False)
def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The watch page, with sign-in."""
    return static_file("index.html", request)


@route("/mail", http_method=READ, include_in_schema=False, opt=UNLIMITED, sync_to_thread=False)
def show_mail(request: Request[Any, Any, Any]) -> Response[Any]:
    """The mails of this installation."""
    return staff_page("mail.html", request, Role.ADMIN)


@route("/admin", http_method=READ, include_in_schema=False, opt=UNLIMITED, sync_to_thread=False)
def show_admin(request: Request[Any, Any, Any]) -> Response[Any]:
    """The admin panel; editors see their first section."""
    return staff_page("admin.html", request, Role.EDITOR)


@route(
    ["/admin/{section:str}", "/admin/{section:str}/{number:int}"],
    http_method=READ,
    include_in_schema=False,
    opt=UNLIMITED,
    sync_to_thread=False,
)
def show_section(request: Request[Any, Any, Any], section: FromPath[str]) -> Response[Any]:
    """A section of the admin panel, or one item of it. Raises PageNotFound."""
    if section not in SECTIONS:
        raise PageNotFound
    return staff_page("admin.html", request, SECTIONS[section])


@route(
    "/assets/{name:path}",
    http_method=READ,
    include_in_schema=False,
    opt=UNLIMITED,
    sync_to_thread=False,
)
def show_asset(request: Request[Any, Any, Any], name: FromPath[Path]) -> Response[bytes]:
    """A script, style sheet, image or library of the pages."""
    return static_file(name.as_posix().removeprefix("/"), request)


def path_not_found(request: Request[Any, Any, Any], error: NotFoundException) -> Response[Any]:
    """Answer an unknown path: browsers get a page with a way on, programs a problem."""
    is_page = "text/html" in request.headers.get("accept", "") and request.method == "GET"
    if not is_page or request.url.path.startswith("/api/"):
        return http_error_response(request, error)
    page = FILES["not-found.html"]
    return Response(
        page.content,
        status_code=HTTP_404_NOT_FOUND,
        media_type=page.media_type,
        headers=SECURITY_HEADERS,
    )


page_handlers: list[HTTPRouteHandler] = [
    show_page,
    show_mail,
    show_admin,
    show_section,
    show_asset,
]
