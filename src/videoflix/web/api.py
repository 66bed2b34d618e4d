"""The built-in pages: everything they need is read once, and served from memory by known name."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER, HTTP_403_FORBIDDEN

from videoflix.platform.auth.identity import Identity, Role
from videoflix.platform.problems import NotFound
from videoflix.platform.rate_limit.middleware import UNLIMITED

STATIC = Path(__file__).parent / "static"
# The sections of the admin panel, and the role each takes.
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
    "audit": Role.ADMIN,
    "settings": Role.ADMIN,
}

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
READING = [HttpMethod.GET, HttpMethod.HEAD]


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


def answer_staff(name: str, request: Request[Any, Any, Any], role: Role) -> Response[Any]:
    """A page for a role: strangers go to the sign-in page, which sends them back here.

    The page itself holds no secret; what it shows comes from the API, which asks again.
    """
    reader: Identity | None = request.user
    if reader is None:
        target = quote(request.url.path + (f"?{query}" if (query := request.url.query) else ""))
        headers = {"Cache-Control": "no-store", **SECURITY_HEADERS}
        return Redirect(f"/?next={target}", status_code=HTTP_303_SEE_OTHER, headers=headers)
    if reader.may(role):
        return answer(name, request)
    page = answer("forbidden.html", request)
    page.status_code = HTTP_403_FORBIDDEN
    return page


@route("/", http_method=READING, include_in_schema=False, opt=UNLIMITED, sync_to_thread=False)
def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The page to watch films on, and to sign in."""
    return answer("index.html", request)


@route("/mail", http_method=READING, include_in_schema=False, opt=UNLIMITED, sync_to_thread=False)
def show_mail(request: Request[Any, Any, Any]) -> Response[Any]:
    """The mails this installation wrote."""
    return answer_staff("mail.html", request, Role.ADMIN)


@route("/admin", http_method=READING, include_in_schema=False, opt=UNLIMITED, sync_to_thread=False)
def show_admin(request: Request[Any, Any, Any]) -> Response[Any]:
    """The admin panel; editors land in the first section of theirs."""
    return answer_staff("admin.html", request, Role.EDITOR)


@route(
    ["/admin/{section:str}", "/admin/{section:str}/{number:int}"],
    http_method=READING,
    include_in_schema=False,
    opt=UNLIMITED,
    sync_to_thread=False,
)
def show_section(request: Request[Any, Any, Any], section: FromPath[str]) -> Response[Any]:
    """A section of the admin panel, or one thing in it. Raises PageNotFound."""
    if section not in SECTIONS:
        raise PageNotFound
    return answer_staff("admin.html", request, SECTIONS[section])


@route(
    "/assets/{name:path}",
    http_method=READING,
    include_in_schema=False,
    opt=UNLIMITED,
    sync_to_thread=False,
)
def show_asset(request: Request[Any, Any, Any], name: FromPath[Path]) -> Response[bytes]:
    """A script, style, picture or library of the pages."""
    return answer(name.as_posix().removeprefix("/"), request)


page_handlers: list[HTTPRouteHandler] = [
    show_page,
    show_mail,
    show_admin,
    show_section,
    show_asset,
]
