"""Refuses changes that another site asks for with our visitor's cookie (CSRF).

A cookie travels with requests that other sites cause. So whoever sends nothing but a cookie also
sends the token of the script-readable cookie `csrftoken` as X-CSRFToken, or is a browser that
says itself that the request began on our own pages.
"""

import hmac
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from videoflix.platform.auth.tokens import csrf_token
from videoflix.platform.problems import Forbidden
from videoflix.settings import settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
CSRF_COOKIE = "csrftoken"
# Routes that older clients call have this in their `opt`: forms are welcome there, and a cookie
# without the token is enough unless a browser says that another site's page asks.
OLDER_CLIENT = "older_client"


class CrossSiteRequest(Forbidden):
    """Another site asked for this change with your cookie."""


def ensure_same_site(connection: ASGIConnection[Any, Any, Any, Any], sign_in_id: int) -> None:
    """Raises CrossSiteRequest unless the sign-in's CSRF token or the browser vouches for it."""
    sent = connection.headers.get("x-csrftoken", "")
    if sent and hmac.compare_digest(sent.encode(), csrf_token(sign_in_id).encode()):
        return
    if connection.route_handler.opt.get(OLDER_CLIENT):
        ensure_own_page(connection)
    elif not _is_same_origin(connection):
        raise CrossSiteRequest("Send the X-CSRFToken or Origin header, or use a bearer token.")


def ensure_own_page(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raises CrossSiteRequest when a browser says that the request began on another site.

    Browsers always say where a change begins, so who says nothing is none, and has no cookie but
    its own.
    """
    is_browser = {"origin", "sec-fetch-site"} & set(connection.headers.keys())
    if is_browser and not _is_same_origin(connection):
        raise CrossSiteRequest("Name this site in CORS_ORIGINS to let it do that.")


def ensure_no_cross_site_link(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raises CrossSiteRequest when a link may have led a browser with a cookie to this change.

    For routes of older clients that change something by GET. A header with a token is no link's;
    a cookie alone takes a page of ours, as the browser names it: scripts say `same-origin`, and
    navigations send a Referer. A link in a mail, or one of a browser that says nothing, has none.
    """
    origin = connection.headers.get("origin", "")
    if connection.headers.get("authorization") or origin in settings.origins:
        return
    if connection.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise CrossSiteRequest("Only a page of this site may sign you out.")
    named = origin or connection.headers.get("referer", "")
    is_script = connection.headers.get("sec-fetch-mode") in {"cors", "same-origin"}
    if not is_script and not _is_ours(connection, named):
        raise CrossSiteRequest("Only a page of this site may sign you out.")


def _is_same_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Sec-Fetch-Site is the browser's own word (Fetch Metadata); all browsers send Origin."""
    origin = connection.headers.get("origin", "")
    if origin in settings.origins:
        return True
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    return _is_ours(connection, origin)


def _is_ours(connection: ASGIConnection[Any, Any, Any, Any], address: str) -> bool:
    ours = {connection.headers.get("host"), urlsplit(settings.site_url).netloc}
    try:
        netloc = urlsplit(address).netloc
    except ValueError:  # no address at all
        return False
    return bool(netloc) and netloc in ours
