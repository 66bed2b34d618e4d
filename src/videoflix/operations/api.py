"""Operations over HTTP: health for machines, an overview for people."""

from typing import Any

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency

from videoflix.operations.schemas import Health, KeptMailPage, Overview, PersonalData
from videoflix.operations.service import Operations
from videoflix.platform.identity import ScopeTooNarrow, admins_only, in_person
from videoflix.platform.problems import Forbidden, SignInNeeded, problems
from videoflix.platform.web import Limit, Offset, service


class HealthController(Controller):
    path = "/health"
    tags = ("Health",)
    dependencies = {"operations": service(Operations)}

    @get("/live", summary="Is the process alive?")
    async def live(self) -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @get("/ready", summary="Can the process serve?", raises=[])
    async def ready(self, operations: NamedDependency[Operations]) -> Response[Health]:
        """This process can serve: 200, or 503 and the checks that fail."""
        health = await operations.health()
        return Response(health, status_code=200 if health.status == "ok" else 503)


class OperationsController(Controller):
    path = "/operations"
    tags = ("Operations",)
    guards = (admins_only,)
    dependencies = {"operations": service(Operations)}

    @get(
        "/overview",
        summary="The installation at a glance",
        responses=problems(SignInNeeded, Forbidden),
    )
    async def show_overview(self, operations: NamedDependency[Operations]) -> Overview:
        """Checks, queues, workers and films at a glance."""
        return await operations.overview()

    @get("/mail", summary="List kept mails", responses=problems(SignInNeeded, Forbidden))
    async def list_mail(
        self, operations: NamedDependency[Operations], limit: Limit = 20, offset: Offset = 0
    ) -> KeptMailPage:
        """List the mails this installation wrote, newest first."""
        found, total = await operations.mail(LimitOffset(limit, offset))
        return KeptMailPage(found, total, limit, offset)


class ExportController(Controller):
    path = "/me/export"
    tags = ("Accounts",)
    guards = (in_person,)
    dependencies = {"operations": service(Operations)}

    @get(summary="Export your data", responses=problems(SignInNeeded, ScopeTooNarrow))
    async def export_me(
        self, request: Request[Any, Any, Any], operations: NamedDependency[Operations]
    ) -> Response[PersonalData]:
        """Download everything that is stored about you, as JSON."""
        found = await operations.personal_data(request.user.user_id, request.user.sign_in_id)
        headers = {
            "Content-Disposition": 'attachment; filename="videoflix-export.json"',
            "Cache-Control": "private, no-store",
        }
        return Response(found, headers=headers)
