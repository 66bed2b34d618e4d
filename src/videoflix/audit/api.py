"""The audit over HTTP: a person's own activity, and everybody's for admins."""

from typing import Annotated, Any

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from videoflix.audit.schemas import Event, EventKind
from videoflix.audit.service import Audit
from videoflix.platform.identity import admins_only, signed_in
from videoflix.platform.problems import Forbidden, SignInNeeded, problems
from videoflix.platform.web import BIGINT_MAX, Limit, Offset, Page, service

PersonId = Annotated[
    int | None, QueryParameter(ge=1, le=BIGINT_MAX, description="Only what happened to them.")
]
Kind = Annotated[EventKind | None, QueryParameter(description="Only events of this kind.")]


class ActivityController(Controller):
    path = "/me/activity"
    tags = ("Accounts",)
    guards = (signed_in,)
    dependencies = {"audit": service(Audit)}

    @get(summary="List what happened to your account", responses=problems(SignInNeeded))
    async def list_activity(
        self,
        request: Request[Any, Any, Any],
        audit: NamedDependency[Audit],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[Event]:
        """List sign-ins, failed ones too, and every change of your account, newest first."""
        found, total = await audit.activity(
            LimitOffset(limit, offset), user_id=request.user.user_id
        )
        return Page(found, total, limit, offset)


class AuditController(Controller):
    path = "/audit"
    tags = ("Operations",)
    guards = (admins_only,)
    dependencies = {"audit": service(Audit)}

    @get(summary="List security events", responses=problems(SignInNeeded, Forbidden))
    async def list_events(
        self,
        audit: NamedDependency[Audit],
        user_id: PersonId = None,
        kind: Kind = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[Event]:
        """List the security events of all accounts, newest first."""
        found, total = await audit.activity(LimitOffset(limit, offset), user_id=user_id, kind=kind)
        return Page(found, total, limit, offset)
