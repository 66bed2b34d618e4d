"""Uploads over HTTP."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.status_codes import HTTP_201_CREATED, HTTP_202_ACCEPTED
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.service import Audit
from videoflix.catalog.schemas import VideoCreate, VideoRead
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.catalog.service.editing import Editing
from videoflix.media.forms import FileUpload, FilmUpload
from videoflix.media.models import AssetState
from videoflix.media.multipart import (
    FileEmpty,
    FileMissing,
    UploadIncomplete,
    UploadTooLarge,
    receive_form,
)
from videoflix.media.schemas import AssetRead, StoredFile, UploadForm
from videoflix.media.service import Failures, Media
from videoflix.media.service.failures import NothingToRetry, SourceRemoved
from videoflix.platform.auth.identity import Role, admins_only, editors_only
from videoflix.platform.http.json_body import invalid_input, with_integers
from videoflix.platform.http.params import (
    BIGINT_MAX,
    MULTIPART,
    Id,
    Limit,
    Offset,
    Page,
    names_of,
    one_of,
    service,
)
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import (
    BadRequest,
    Forbidden,
    InvalidInput,
    Problem,
    Unauthorized,
    UnsupportedMediaType,
    problems,
)
from videoflix.platform.rate_limit.middleware import UPLOAD
from videoflix.platform.storage.media_storage import (
    StorageFull,
    StorageProblem,
    StorageUnavailable,
    media_storage,
)
from videoflix.profiles.schemas import ALL_AGES, Viewer
from videoflix.settings import settings

OfFilm = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]
# `state` is a name Litestar keeps for itself.
OfState = Annotated[str | None, QueryParameter(name="state", schema_extra=names_of(AssetState))]


class TitleMissing(BadRequest):
    """Give the film a title: the form field “title”, at most 200 characters."""


class UploadController(Controller):
    path = "/videos"
    tags = ("Media",)
    guards = (editors_only,)

    @post(
        opt=UPLOAD | MULTIPART,
        operation_class=FilmUpload,
        summary="Upload a film",
        status_code=HTTP_201_CREATED,
        request_max_body_size=None,
        responses=problems(
            TitleMissing,
            UnknownCategory,
            FileMissing,
            FileEmpty,
            UploadIncomplete,
            InvalidInput,
            Unauthorized,
            Forbidden,
            UploadTooLarge,
            UnsupportedMediaType,
            StorageFull,
            StorageUnavailable,
        ),
    )
    async def upload_video(self, request: Request[Any, Any, Any]) -> Response[VideoRead]:
        """Upload a film as multipart/form-data: `title`, optional details, `file`.

        Bytes go straight to the storage; a film of any size takes little memory. The answer
        comes when the file is safe; inspection and encoding follow in the background. A JSON
        body enters a draft whose file follows.
        """
        if request.headers.get("content-type", "").startswith("application/json"):
            video = await _create_draft(await request.body(), request.user.user_id)
        else:
            video = await _create(await read_upload(request), request.user.user_id)
        headers = {"Location": f"/api/v1/videos/{video.id}"}
        return Response(video, status_code=HTTP_201_CREATED, headers=headers)

    @put(
        "/{video_id:int}/file",
        opt=UPLOAD | MULTIPART,
        operation_class=FileUpload,
        summary="Give a film its file, or another one",
        status_code=HTTP_202_ACCEPTED,
        request_max_body_size=None,
        responses=problems(
            FileMissing,
            FileEmpty,
            UploadIncomplete,
            Unauthorized,
            Forbidden,
            VideoNotFound,
            UploadTooLarge,
            UnsupportedMediaType,
            StorageFull,
            StorageUnavailable,
        ),
    )
    async def replace_file(self, request: Request[Any, Any, Any], video_id: Id) -> None:
        """Upload another file as the form field `file`; the old one plays until it is complete.

        What people remember belongs to the film and stays.
        """
        form = await read_upload(request)
        async with discard_on_error(form) as file, transaction() as session:
            await Media(session).replace(video_id, file)
            line = f"Give a film its file: PUT /videos/{video_id}/file"
            await Audit(session).record_change(line, by=request.user.user_id)

    @post(
        "/{video_id:int}/retry",
        summary="Retry a film",
        status_code=HTTP_202_ACCEPTED,
        dependencies={"failures": service(Failures)},
        responses=problems(Unauthorized, Forbidden, VideoNotFound, NothingToRetry, SourceRemoved),
    )
    async def retry_video(
        self,
        request: Request[Any, Any, Any],
        failures: NamedDependency[Failures],
        video_id: Id,
    ) -> VideoRead:
        """Resume the work on the film's newest file, after it failed or while it is stalled.

        Chunks that are encoded already are not encoded again.
        """
        await failures.retry(video_id)
        viewer = Viewer(request.user.user_id, 0, Role.EDITOR, ALL_AGES, member=True)
        return await failures.catalog.read(viewer, video_id)

    @get(
        "/{video_id:int}/sources",
        summary="List a film's files",
        dependencies={"media": service(Media)},
        responses=problems(Unauthorized, Forbidden, VideoNotFound),
    )
    async def list_files(
        self,
        media: NamedDependency[Media],
        video_id: Id,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[AssetRead]:
        """List the files that were uploaded for a film, the newest first, and why one failed."""
        page = LimitOffset(limit, offset)
        found, total = await media.list_page(page, video_id=video_id, state=None)
        return Page(found, total, limit, offset)

    @delete(
        "/{video_id:int}",
        summary="Delete a film",
        dependencies={"media": service(Media), "editing": service(Editing)},
        responses=problems(Unauthorized, Forbidden, VideoNotFound),
    )
    async def delete_video(
        self,
        media: NamedDependency[Media],
        editing: NamedDependency[Editing],
        video_id: Id,
        permanently: FromQuery[bool] = False,
    ) -> None:
        """Delete a film: nobody sees it any more. It can be restored for 30 days.

        With `permanently`, it is gone at once and its files follow.
        """
        if permanently:
            await media.remove(video_id)
        else:
            await editing.delete(video_id)


class AssetController(Controller):
    path = "/assets"
    tags = ("Media",)
    guards = (admins_only,)
    dependencies = {"media": service(Media)}

    @get(summary="List uploaded files", responses=problems(Unauthorized, Forbidden))
    async def list_assets(
        self,
        media: NamedDependency[Media],
        video_id: OfFilm = None,
        asset_state: OfState = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[AssetRead]:
        """List the files films were made of, the newest first."""
        wanted = one_of(AssetState, "state", asset_state)
        page = LimitOffset(limit, offset)
        found, total = await media.list_page(page, video_id=video_id, state=wanted)
        return Page(found, total, limit, offset)


async def read_upload(request: Request[Any, Any, Any], file_field: str = "file") -> UploadForm:
    """Store what comes, unless it is announced to be too large or the storage is full."""
    storage = media_storage()
    announced = int(request.headers.get("content-length") or 0)
    if announced > settings.upload_max_bytes + 1024 * 1024:
        raise UploadTooLarge(f"At most {settings.upload_max_bytes} bytes are accepted.")
    await storage.refuse_if_full(announced)
    return await receive_form(
        request.stream(),
        request.headers.get("content-type", ""),
        storage,
        settings.upload_max_bytes,
        file_field,
    )


@asynccontextmanager
async def discard_on_error(form: UploadForm) -> AsyncGenerator[StoredFile]:
    """The stored file, which goes away again if the block raises a Problem.

    After any other error it is unknown whether the row was committed (the answer to a commit can
    be lost), so the file stays; if no row knows it, it is swept a day later. Raises FileMissing,
    FileEmpty.
    """
    if form.file is None:
        raise FileMissing
    try:
        if form.file.size == 0:
            raise FileEmpty
        yield form.file
    except Problem:
        with suppress(StorageProblem):  # logged; the sweep removes it later
            await media_storage().delete_below(form.file.folder)
        raise


async def _create(form: UploadForm, uploaded_by: int) -> VideoRead:
    """Enter the stored file; its own transaction, so that a failed one leaves no file behind."""
    async with discard_on_error(form) as file:
        draft = _draft(form.fields)
        async with transaction() as session:
            video = await Media(session).accept(draft, file, uploaded_by)
            return await _created(session, video.id, uploaded_by)


async def _create_draft(body: bytes, uploaded_by: int) -> VideoRead:
    """Enter a film without a file; nobody but editors sees it before it has one."""
    try:
        draft = msgspec.convert(with_integers(msgspec.json.decode(body)), VideoCreate)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from error
    except msgspec.DecodeError as error:
        raise BadRequest(str(error)) from error
    async with transaction() as session:
        video = await Catalog(session).add(draft, uploaded_by)
        return await _created(session, video.id, uploaded_by)


async def _created(session: AsyncSession, video_id: int, editor: int) -> VideoRead:
    """The film as its editor sees it; that it was entered is noted."""
    await Audit(session).record_change(f"Upload a film: /videos/{video_id}", by=editor)
    viewer = Viewer(editor, 0, Role.EDITOR, ALL_AGES, member=True)
    return await Catalog(session).read(viewer, video_id)


def _draft(fields: dict[str, str]) -> VideoCreate:
    """The draft a form describes; lists are written with commas between."""
    title = fields.pop("title", "").strip()
    if not title:
        raise TitleMissing
    lists: dict[str, list[str]] = {
        name: [part.strip() for part in fields.pop(name).split(",") if part.strip()]
        for name in ("tags", "categories")
        if name in fields
    }
    described: dict[str, object] = {**fields, **lists, "title": title}
    try:
        return msgspec.convert(described, VideoCreate, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from error
