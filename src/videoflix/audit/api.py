"""HTTP API of the audit log, and recording of changes by staff."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.schemas import EventKind, SecurityEventRead
from videoflix.audit.service import Audit
from videoflix.platform.auth.csrf import SAFE_METHODS
from videoflix.platform.auth.identity import (
    CurrentUser,
    admins_only,
    editors_only,
    owners_only,
    signed_in,
)
from videoflix.platform.http.params import BIGINT_MAX, Limit, Offset, Page, service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, Unauthorized, problems

PersonId = Annotated[
    int | None, QueryParameter(ge=1, le=BIGINT_MAX, description="Only events of this account.")
]
Kind = Annotated[EventKind | None, QueryParameter(description="Only events of this kind.")]

STAFF_GUARDS = {editors_only, admins_only, owners_only}


async def provide_session(request: Request[Any, Any, Any]) -> AsyncGenerator[AsyncSession]:
    """Provide the request's transaction as `session`.

    A change through a route that requires a role is recorded in the same transaction.
    """
    async with transaction() as session:
        yield session
        if request.method not in SAFE_METHODS and STAFF_GUARDS.intersection(
            request.route_handler.resolve_guards()
        ):
            by = request.user.user_id
            await Audit(session).record_change(await _change_summary(request), by=by)


async def _change_summary(request: Request[Any, Any, Any]) -> str:
    """Describe a change in one line: summary, path and field names, never values."""
    path = request.url.path.removeprefix("/api/v1")
    query = f"?{request.url.query}" if request.url.query else ""
    line = f"{request.route_handler.summary}: {request.method} {path}{query}"
    is_json = request.headers.get("content-type", "").startswith("application/json")
    is_read = "data" in request.route_handler.parsed_fn_signature.parameters
    body = await request.json() if is_json and is_read else None
    names = body if isinstance(body, dict) else ()  # a list has none
    fields = ", ".join(name for name in names if name.isidentifier())
    return f"{line} ({fields})" if fields else line


class ActivityController(Controller):
    path = "/me/activity"
    tags = ("Accounts",)
    guards = (signed_in,)
    dependencies = {"audit": service(Audit)}

    @get(summary="List your account activity", responses=problems(Unauthorized))
    async def list_activity(
        self,
        user: CurrentUser,
        audit: NamedDependency[Audit],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[SecurityEventRead]:
        """List sign-ins, including failed ones, and changes of your account, newest first."""
        found, total = await audit.activity(LimitOffset(limit, offset), user_id=user.user_id)
        return Page(found, total, limit, offset)


class AuditController(Controller):
    path = "/audit"
    tags = ("Operations",)
    guards = (admins_only,)
    dependencies = {"audit": service(Audit)}

    @get(summary="List security events", responses=problems(Unauthorized, Forbidden))
    async def list_events(
        self,
        audit: NamedDependency[Audit],
        user_id: PersonId = None,
        kind: Kind = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[SecurityEventRead]:
        """List the security events of all accounts, newest first."""
        found, total = await audit.activity(LimitOffset(limit, offset), user_id=user_id, kind=kind)
        return Page(found, total, limit, offset)
