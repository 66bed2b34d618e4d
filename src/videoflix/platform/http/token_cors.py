"""CORS for URLs that carry their own token: any site's player may fetch them (Chromecast, hls.js).

`*` excludes cookies, so a page reads nothing that it could not fetch without a browser. Handlers
choose it with `opt=TOKEN_CORS`; without a token in the URL they are as closed as all others.
"""

import re
from typing import Any

from videoflix.platform.http.security_headers import Headers

TOKEN_CORS = {"token_cors": True}
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
    """Add CORS headers if the URL has a token; those of CORS_ORIGINS take precedence.

    For requests to the path templates of handlers that have TOKEN_CORS.
    """
    has_token = "{token" in scope["path_template"] or TOKEN.search(scope["query_string"])
    if not has_token or any(name == ALLOW_ORIGIN for name, _ in headers):
        return headers
    return [*headers, *(PREFLIGHT if scope["method"] == "OPTIONS" else RESPONSE)]
