"""CORS for URLs that carry their own token: any site's player may fetch them (Chromecast, hls.js).

`*` excludes cookies, so a page reads nothing that it could not fetch without a browser.
"""

import re
from typing import Any

from videoflix.platform.http.security_headers import Headers

METHODS = {"GET", "HEAD", "OPTIONS"}
TOKEN = re.compile(rb"(?:^|&)token=[^&]")
ALLOW_ORIGIN = b"access-control-allow-origin"
RESPONSE = [
    (ALLOW_ORIGIN, b"*"),
    (b"access-control-expose-headers", b"content-length, content-range, etag, retry-after"),
]
PREFLIGHT = [
    (ALLOW_ORIGIN, b"*"),
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"range, if-none-match"),
    (b"access-control-max-age", b"600"),
]


def with_token_cors(scope: Any, headers: Headers) -> Headers:
    """Add CORS headers if the URL has a token; those of CORS_ORIGINS take precedence."""
    if any(name == ALLOW_ORIGIN for name, _ in headers) or not _has_token(scope):
        return headers
    return [*headers, *(PREFLIGHT if scope["method"] == "OPTIONS" else RESPONSE)]


def _has_token(scope: Any) -> bool:
    if "{token" in scope.get("path_template", ""):
        return True
    return scope["method"] in METHODS and TOKEN.search(scope["query_string"]) is not None
