"""Who may use a dialect whose clients never said who they are."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from videoflix.platform.identity import admins_only
from videoflix.settings import settings

PROXY_KEY = "x-videoflix-proxy-key"


async def trusted(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: what a proxy vouches for with its key, and administrators."""
    key = settings.streaming_dialect_trusted_proxy_key
    sent = connection.headers.get(PROXY_KEY, "")
    if key is None or not hmac.compare_digest(sent.encode(), key.encode()):
        await admins_only(connection, handler)
