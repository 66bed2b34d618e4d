"""HTTP API of operations: health checks, overview, settings, mails and data exports."""

from typing import Any

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.status_codes import HTTP_503_SERVICE_UNAVAILABLE

from videoflix.memberships.service import UserNotFound
from videoflix.operations.schemas import (
    Health,
    MailPage,
    Overview,
    PersonalData,
    ProfileData,
    SettingRead,
)
from videoflix.operations.service import Operations, health_details, readiness
from videoflix.operations.settings_view import effective_settings
from videoflix.platform.auth.identity import (
    CurrentUser,
    Role,
    ScopeTooNarrow,
    account_holder_only,
    admins_only,
    owners_only,
)
from videoflix.platform.auth.scrapers import is_scraper
from videoflix.platform.http.disconnect import while_connected
from videoflix.platform.http.params import Id, Limit, Offset, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.profiles.service import PasswordRequired
from videoflix.settings import settings


async def staff_or_scrapers(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: require METRICS_TOKEN or an administrator."""
    if not is_scraper(connection):
        await admins_only(connection, handler)


class HealthController(Controller):
    path = "/health"
    opt = UNLIMITED
    tags = ("Health",)

    @get("/live", summary="Liveness check", security=[{}])
    async def live(self) -> dict[str, str]:
        """Return 200 if the process responds."""
        return {"status": "ok"}

    @get(
        "/ready",
        summary="Readiness check",
        raises=[],
        security=[{}],
        responses={
            HTTP_503_SERVICE_UNAVAILABLE: ResponseSpec(
                Health, description="This process is not ready.", generate_examples=False
            )
        },
    )
    async def ready(self) -> Response[Health]:
        """Return 200 if the database is available and migrated, otherwise 503 and the checks.

        For load balancers. Results are cached for one second.
        """
        health = await readiness()
        return Response(health, status_code=200 if health.status == "ok" else 503)

    @get(
        "/details",
        summary="Detailed health checks",
        guards=[staff_or_scrapers],
        responses=problems(Unauthorized, Forbidden),
    )
    async def details(self) -> Health:
        """Check database, migrations, storage and workers; for administrators and METRICS_TOKEN.

        `status` is `failing` if any check fails. Results are cached for five seconds.
        """
        return await health_details()


class OperationsController(Controller):
    path = "/operations"
    tags = ("Operations",)
    guards = (admins_only,)
    dependencies = {"operations": service(Operations)}

    @get(
        "/overview",
        summary="Get the overview",
        responses=problems(Unauthorized, Forbidden),
    )
    async def show_overview(self, operations: NamedDependency[Operations]) -> Overview:
        """Get health checks, queues, workers and video counts."""
        return await operations.overview()

    @get("/mail", summary="List mails", responses=problems(Unauthorized, Forbidden))
    async def list_mail(
        self,
        user: CurrentUser,
        operations: NamedDependency[Operations],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> MailPage:
        """List the mails of this installation, newest first.

        Their content is shown only to owners, and only while SMTP_URL is not set.
        """
        is_owner = user.may(Role.OWNER)
        found, total = await operations.mail(LimitOffset(limit, offset), to_owner=is_owner)
        return MailPage(found, total, limit, offset)

    @get(
        "/settings",
        summary="List effective settings",
        responses=problems(Unauthorized, Forbidden),
        sync_to_thread=False,
    )
    def show_settings(self) -> list[SettingRead]:
        """List all settings as read by this process, with secrets masked."""
        return effective_settings(settings)


class UserLibraryController(Controller):
    path = "/users/{user_id:int}/library"
    tags = ("People",)
    guards = (owners_only,)
    dependencies = {"operations": service(Operations)}

    @get(
        summary="Get a user's library",
        responses=problems(Unauthorized, Forbidden, UserNotFound),
    )
    async def show_library(
        self,
        user: CurrentUser,
        operations: NamedDependency[Operations],
        user_id: FromPath[Id],
    ) -> Response[list[ProfileData]]:
        """Get a user's watchlists, history and votes, for owners; the user can see this access."""
        found = await operations.library_of(user_id, by=user.user_id)
        return Response(found, headers={"Cache-Control": "private, no-store"})


class ExportController(Controller):
    path = "/me/export"
    tags = ("Accounts",)
    guards = (account_holder_only,)
    dependencies = {"operations": service(Operations)}

    @get(
        summary="Export your data",
        responses=problems(Unauthorized, ScopeTooNarrow, PasswordRequired),
    )
    async def export_me(
        self, request: Request[Any, Any, Any], operations: NamedDependency[Operations]
    ) -> Response[PersonalData]:
        """Download all data stored about you, as JSON."""
        user = request.user
        found = await while_connected(
            request, operations.personal_data(user.user_id, user.sign_in_id)
        )
        headers = {
            "Content-Disposition": 'attachment; filename="videoflix-export.json"',
            "Cache-Control": "private, no-store",
        }
        return Response(found, headers=headers)
