"""Access to a dialect whose clients do not authenticate."""

import hmac
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.auth.csrf import SAFE_METHODS
from videoflix.platform.auth.identity import admins_only
from videoflix.platform.postgres.session import transaction
from videoflix.settings import settings

PROXY_KEY = "x-videoflix-proxy-key"


async def provide_session(request: Request[Any, Any, Any]) -> AsyncGenerator[AsyncSession]:
    """The request's transaction, with changes in the audit log; without an actor for the proxy."""
    async with transaction() as session:
        yield session
        if request.method not in SAFE_METHODS:
            by = request.user.user_id if request.user else None
            told = f"{request.route_handler.summary}: {request.method} {request.url.path}"
            await Audit(session).record(EventKind.STAFF_CHANGE, None, by=by, detail=told)


async def proxy_or_admin(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: requests with the key of the trusted proxy, and administrators."""
    key = settings.streaming_dialect_trusted_proxy_key
    sent = connection.headers.get(PROXY_KEY, "")
    if key is None or not hmac.compare_digest(sent.encode(), key.encode()):
        await admins_only(connection, handler)
