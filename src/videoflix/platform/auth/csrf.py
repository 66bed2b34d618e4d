"""CSRF protection for requests that are authenticated by a cookie.

Such a request has to send the value of the cookie `csrftoken` in the header X-CSRFToken, or be
same-origin according to the browser (Fetch Metadata, Origin).
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
# `opt` of routes for older clients: they accept forms, and cookies without a CSRF token unless
# the browser reports a cross-site request.
OLDER_CLIENT = "older_client"


class CrossSiteRequest(Forbidden):
    """Another site tried to make this change with your cookie."""


def ensure_same_site(connection: ASGIConnection[Any, Any, Any, Any], sign_in_id: int) -> None:
    """Require the session's CSRF token or a same-origin request. Raises CrossSiteRequest.

    Tokens are compared in constant time.
    """
    sent = connection.headers.get("x-csrftoken", "")
    if sent and hmac.compare_digest(sent.encode(), csrf_token(sign_in_id).encode()):
        return
    if connection.route_handler.opt.get(OLDER_CLIENT):
        ensure_own_page(connection)
    elif not _is_same_origin(connection):
        raise CrossSiteRequest("Send the X-CSRFToken or Origin header, or use a bearer token.")


def ensure_own_page(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse requests that the browser reports as cross-site. Raises CrossSiteRequest.

    Browsers always send Origin or Sec-Fetch-Site with changes, so a request without them is
    not from a browser and cannot be forged by another site.
    """
    is_browser = {"origin", "sec-fetch-site"} & set(connection.headers.keys())
    if is_browser and not _is_same_origin(connection):
        raise CrossSiteRequest("To allow requests from this site, add it to CORS_ORIGINS.")


def ensure_no_cross_site_link(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse state-changing GET requests that a link may have caused. Raises CrossSiteRequest.

    For routes of older clients. A request with an Authorization header is no link. With a cookie
    alone, it has to come from our own page: scripts send Sec-Fetch-Site `same-origin`, and
    navigations send a Referer, which links in e-mails lack.
    """
    origin = connection.headers.get("origin", "")
    if connection.headers.get("authorization") or origin in settings.origins:
        return
    if connection.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise CrossSiteRequest("You can only be signed out from a page of this site.")
    named = origin or connection.headers.get("referer", "")
    is_script = connection.headers.get("sec-fetch-mode") in {"cors", "same-origin"}
    if not is_script and not _is_ours(connection, named):
        raise CrossSiteRequest("You can only be signed out from a page of this site.")


def _is_same_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Check Sec-Fetch-Site (Fetch Metadata), or Origin, which all browsers send."""
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
    except ValueError:  # not a URL
        return False
    return bool(netloc) and netloc in ours
