"""Operations over HTTP: health for machines, an overview for people."""

import hmac
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
from videoflix.platform.http.disconnect import while_connected
from videoflix.platform.http.params import Id, Limit, Offset, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.profiles.service import PasswordRequired
from videoflix.settings import settings


async def staff_or_scrapers(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: who sends METRICS_TOKEN, and administrators."""
    sent = connection.headers.get("authorization", "").encode()
    token = settings.metrics_token
    if not (token and hmac.compare_digest(sent, f"Bearer {token}".encode())):
        await admins_only(connection, handler)


class HealthController(Controller):
    path = "/health"
    opt = UNLIMITED
    tags = ("Health",)

    @get("/live", summary="Is the process alive?", security=[{}])
    async def live(self) -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @get(
        "/ready",
        summary="Can the process serve?",
        raises=[],
        security=[{}],
        responses={
            HTTP_503_SERVICE_UNAVAILABLE: ResponseSpec(
                Health, description="This process cannot serve.", generate_examples=False
            )
        },
    )
    async def ready(self) -> Response[Health]:
        """This process can serve: its database answers, and has the tables it needs.

        200, or 503 and the checks that fail; for load balancers. Results are a second old at most.
        """
        health = await readiness()
        return Response(health, status_code=200 if health.status == "ok" else 503)

    @get(
        "/details",
        summary="What the installation needs",
        guards=[staff_or_scrapers],
        responses=problems(Unauthorized, Forbidden),
    )
    async def details(self) -> Health:
        """Database, tables, storage and workers, for administrators and METRICS_TOKEN.

        `status` is `failing` when any of them fails. Results are five seconds old at most.
        """
        return await health_details()


class OperationsController(Controller):
    path = "/operations"
    tags = ("Operations",)
    guards = (admins_only,)
    dependencies = {"operations": service(Operations)}

    @get(
        "/overview",
        summary="The installation at a glance",
        responses=problems(Unauthorized, Forbidden),
    )
    async def show_overview(self, operations: NamedDependency[Operations]) -> Overview:
        """Checks, queues, workers and films at a glance."""
        return await operations.overview()

    @get("/mail", summary="List kept mails", responses=problems(Unauthorized, Forbidden))
    async def list_mail(
        self,
        user: CurrentUser,
        operations: NamedDependency[Operations],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> MailPage:
        """List the mails this installation wrote, newest first.

        Owners read what they say while there is no mail server (SMTP_URL); nobody does with one.
        """
        is_owner = user.may(Role.OWNER)
        found, total = await operations.mail(LimitOffset(limit, offset), to_owner=is_owner)
        return MailPage(found, total, limit, offset)

    @get(
        "/settings",
        summary="The settings in force",
        responses=problems(Unauthorized, Forbidden),
        sync_to_thread=False,
    )
    def show_settings(self) -> list[SettingRead]:
        """Every setting as this process read it; secrets are masked."""
        return effective_settings(settings)


class UserLibraryController(Controller):
    path = "/users/{user_id:int}/library"
    tags = ("People",)
    guards = (owners_only,)
    dependencies = {"operations": service(Operations)}

    @get(
        summary="What somebody watches",
        responses=problems(Unauthorized, Forbidden, UserNotFound),
    )
    async def show_library(
        self,
        user: CurrentUser,
        operations: NamedDependency[Operations],
        user_id: FromPath[Id],
    ) -> Response[list[ProfileData]]:
        """Watchlists, history and votes of a person, for owners; the person is told of it."""
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
        """Download everything that is stored about you, as JSON."""
        user = request.user
        found = await while_connected(
            request, operations.personal_data(user.user_id, user.sign_in_id)
        )
        headers = {
            "Content-Disposition": 'attachment; filename="videoflix-export.json"',
            "Cache-Control": "private, no-store",
        }
        return Response(found, headers=headers)
