"""CORS for URLs that carry their own token: any site's player may fetch them (Chromecast, hls.js).

`*` excludes cookies, so a page reads nothing that it could not fetch without a browser. Handlers
choose it with `opt=TOKEN_CORS`; without a token in the URL they are as closed as all others.
"""

import re
from collections.abc import Iterable
from typing import Any

from litestar.config.cors import CORSConfig
from litestar.types import ASGIApp, Message, Receive, Send

from videoflix.platform.http.security_headers import Headers

TOKEN_CORS = {"token_cors": True}
METHODS = {"GET", "HEAD", "OPTIONS"}
TOKEN = re.compile(rb"(?:^|&)token=[^&]")
PARAMETER = re.compile(r"\\\{[^}]*\\\}")
RESPONSE = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"content-length, content-range, etag, retry-after"),
]
PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"range, if-none-match"),
    (b"access-control-max-age", b"600"),
]


class TokenCorsMiddleware:
    """ASGI middleware around Litestar, whose CORS middleware continues to serve CORS_ORIGINS.

    `paths` are the path templates of handlers with TOKEN_CORS.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str], cors: CORSConfig | None) -> None:
        self._app = app
        self._cors = cors
        self._with_token_in_path = _matcher(path for path in paths if "{token" in path)
        self._paths = _matcher(paths)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._applies(scope):
            await self._app(scope, receive, send)
            return
        added = PREFLIGHT if scope["method"] == "OPTIONS" else RESPONSE
        # Without an Origin, Litestar neither refuses a preflight nor adds headers of its own.
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"origin"]

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: Headers = [*message["headers"], *added]
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_cors)

    def _applies(self, scope: Any) -> bool:
        """Return whether the URL has a token and CORS_ORIGINS does not have the Origin."""
        path = scope["path"]
        if scope["method"] not in METHODS or not self._paths.fullmatch(path):
            return False
        if not self._with_token_in_path.fullmatch(path) and not TOKEN.search(scope["query_string"]):
            return False
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        return not (self._cors and origins and self._cors.is_origin_allowed(origins[0]))


def _matcher(templates: Iterable[str]) -> re.Pattern[str]:
    """Compile a pattern of the paths that match one of the templates."""
    patterns = [PARAMETER.sub("[^/]+", re.escape(template)) for template in templates]
    return re.compile("|".join(patterns) or "(?!)")
