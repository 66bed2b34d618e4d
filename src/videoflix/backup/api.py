"""HTTP API of exports of the installation."""

from typing import Annotated, Any

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_202_ACCEPTED

from videoflix.backup.schemas import ExportPage, ExportRead
from videoflix.backup.service.exports import (
    ExportNotFound,
    ExportNotReady,
    Exports,
    ExportStarting,
)
from videoflix.platform.auth.identity import CurrentUser, admins_only, owners_only
from videoflix.platform.http.download import RangeNotSatisfiable, download
from videoflix.platform.http.params import Id, Limit, Offset, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems

ZIP = "application/zip"
ABOUT_AN_EXPORT = (Unauthorized, Forbidden, ExportNotFound)

WithMedia = Annotated[bool, QueryParameter(description="Include videos, posters and images.")]


class ArchiveController(Controller):
    path = "/operations/exports"
    tags = ("Operations",)
    guards = (admins_only,)
    dependencies = {"exports": service(Exports)}

    @post(
        summary="Request an export",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(Unauthorized, Forbidden, ExportStarting),
    )
    async def request_export(
        self,
        user: CurrentUser,
        exports: NamedDependency[Exports],
        media: WithMedia = False,
    ) -> Response[ExportRead]:
        """Create an archive of the installation; poll the export until it is `ready` or `failed`.

        If an equal export is pending, that one is returned.
        """
        made = await exports.request(with_media=media, by=user.user_id)
        headers = {"Location": f"/api/v1/operations/exports/{made.id}"}
        return Response(ExportRead.of(made), headers=headers)

    @get(summary="List exports", responses=problems(Unauthorized, Forbidden))
    async def list_exports(
        self, exports: NamedDependency[Exports], limit: Limit = 20, offset: Offset = 0
    ) -> ExportPage:
        """List exports of the installation, newest first."""
        found, total = await exports.list_page(LimitOffset(limit, offset))
        return ExportPage(found, total, limit, offset)

    @get("/{export_id:int}", summary="Get an export", responses=problems(*ABOUT_AN_EXPORT))
    async def show_export(self, exports: NamedDependency[Exports], export_id: Id) -> ExportRead:
        """Get the state of an export, and why it failed."""
        return ExportRead.of(await exports.export(export_id))

    @get(
        "/{export_id:int}/file",
        summary="Download an export",
        guards=[owners_only],
        media_type=ZIP,
        responses=problems(*ABOUT_AN_EXPORT, ExportNotReady, RangeNotSatisfiable),
    )
    async def download_export(
        self, request: Request[Any, Any, Any], exports: NamedDependency[Exports], export_id: Id
    ) -> Stream:
        """Download the archive, or a part of it with `Range`.

        It contains all e-mail addresses and password hashes; each download is audited.
        """
        key, size = await exports.file_of(export_id, user_id=request.user.user_id)
        name = f"videoflix-export-{export_id}.zip"
        try:
            return await download(request, key, size, name=name, media_type=ZIP)
        except FileNotFoundError as error:
            raise ExportNotFound("Its file no longer exists in the storage.") from error

    @delete("/{export_id:int}", summary="Delete an export", responses=problems(*ABOUT_AN_EXPORT))
    async def delete_export(self, exports: NamedDependency[Exports], export_id: Id) -> None:
        """Delete an export and its file; a running one is discarded."""
        await exports.remove(export_id)
