"""Refuses changes that another site asks for with our visitor's cookie (CSRF).

A cookie travels with requests that other sites cause. So whoever sends nothing but a cookie also
sends the token of the script-readable cookie `csrftoken` as X-CSRFToken, or is a browser that
says itself that the request began on our own pages.
"""

import hmac
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from videoflix.platform.problems import Forbidden
from videoflix.platform.tokens import csrf_token
from videoflix.settings import settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
CSRF_COOKIE = "csrftoken"
# Routes that older clients call have this in their `opt`: forms are welcome there, and a cookie
# without the token is enough unless a browser says that another site's page asks.
OLDER_CLIENT = "older_client"


class CrossSiteRequest(Forbidden):
    """Another site asked for this change with your cookie."""


def refuse_cross_site(connection: ASGIConnection[Any, Any, Any, Any], sign_in_id: int) -> None:
    """Raises CrossSiteRequest unless the sign-in's CSRF token or the browser vouches for it."""
    sent = connection.headers.get("x-csrftoken", "")
    if sent and hmac.compare_digest(sent.encode(), csrf_token(sign_in_id).encode()):
        return
    if connection.route_handler.opt.get(OLDER_CLIENT):
        refuse_foreign_page(connection)
    elif not _began_with_us(connection):
        raise CrossSiteRequest("Send the X-CSRFToken or Origin header, or use a bearer token.")


def refuse_foreign_page(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raises CrossSiteRequest when a browser says that the request began on another site.

    Browsers always say where a change begins, so who says nothing is none, and has no cookie but
    its own.
    """
    is_browser = {"origin", "sec-fetch-site"} & set(connection.headers.keys())
    if is_browser and not _began_with_us(connection):
        raise CrossSiteRequest("Name this site in CORS_ORIGINS to let it do that.")


def _began_with_us(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Sec-Fetch-Site is the browser's own word (Fetch Metadata); all browsers send Origin."""
    origin = connection.headers.get("origin", "")
    if origin in settings.origins:
        return True
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    ours = {connection.headers.get("host"), urlsplit(settings.site_url).netloc}
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:  # no address at all
        return False
    return bool(netloc) and netloc in ours
