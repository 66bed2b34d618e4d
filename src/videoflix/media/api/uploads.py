"""Uploads, retries and deletion of videos over HTTP."""

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
from videoflix.media.forms import FileUpload, VideoUpload
from videoflix.media.models import AssetState
from videoflix.media.multipart import FileMissing, UploadIncomplete, receive_form
from videoflix.media.problems import FileEmpty, TitleMissing, UploadTooLarge
from videoflix.media.schemas import AssetRead, StoredFile, UploadForm
from videoflix.media.service import Failures, Media
from videoflix.media.service.drafts import draft_of
from videoflix.media.service.failures import NothingToRetry, SourceRemoved
from videoflix.platform.auth.identity import CurrentUser, Role, admins_only, editors_only
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

OfVideo = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]
# Litestar reserves the name `state`.
OfState = Annotated[str | None, QueryParameter(name="state", schema_extra=names_of(AssetState))]


class UploadController(Controller):
    path = "/videos"
    tags = ("Media",)
    guards = (editors_only,)

    @post(
        opt=UPLOAD | MULTIPART,
        operation_class=VideoUpload,
        summary="Upload a video",
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
        """Upload a video as multipart/form-data: `title`, optional details, `file`.

        The file is streamed to the storage, so memory use does not depend on its size. The
        response is sent when the file is stored; inspection and encoding follow in the
        background. A JSON body creates a video whose file is uploaded later.
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
        summary="Upload or replace a video's file",
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
        """Upload a file as the form field `file`; the current one is played until it is encoded.

        Votes, watchlists and playback positions belong to the video and are kept.
        """
        form = await read_upload(request)
        async with discard_on_error(form) as file, transaction() as session:
            await Media(session).replace(video_id, file)
            line = f"Upload or replace a video's file: PUT /videos/{video_id}/file"
            await Audit(session).record_change(line, by=request.user.user_id)

    @post(
        "/{video_id:int}/retry",
        summary="Retry processing",
        status_code=HTTP_202_ACCEPTED,
        dependencies={"failures": service(Failures)},
        responses=problems(Unauthorized, Forbidden, VideoNotFound, NothingToRetry, SourceRemoved),
    )
    async def retry_video(
        self,
        user: CurrentUser,
        failures: NamedDependency[Failures],
        video_id: Id,
    ) -> VideoRead:
        """Resume processing of the newest file, after it failed or while it is stalled.

        Chunks that are already encoded are kept.
        """
        await failures.retry(video_id)
        viewer = Viewer(user.user_id, 0, Role.EDITOR, ALL_AGES, member=True)
        return await failures.catalog.read(viewer, video_id)

    @get(
        "/{video_id:int}/sources",
        summary="List a video's files",
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
        """List the files uploaded for a video, newest first, with the reason of failures."""
        page = LimitOffset(limit, offset)
        found, total = await media.list_page(page, video_id=video_id, state=None)
        return Page(found, total, limit, offset)

    @delete(
        "/{video_id:int}",
        summary="Delete a video",
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
        """Delete a video; it can be restored for 30 days.

        With `permanently`, it is deleted immediately, and its files in the background.
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
        video_id: OfVideo = None,
        asset_state: OfState = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[AssetRead]:
        """List the files uploaded for videos, newest first."""
        wanted = one_of(AssetState, "state", asset_state)
        page = LimitOffset(limit, offset)
        found, total = await media.list_page(page, video_id=video_id, state=wanted)
        return Page(found, total, limit, offset)


async def read_upload(request: Request[Any, Any, Any], file_field: str = "file") -> UploadForm:
    """Stream the upload to the storage.

    Raises UploadTooLarge or StorageFull early if Content-Length exceeds a limit, and whatever
    `receive_form` raises.
    """
    storage = media_storage()
    content_length = int(request.headers.get("content-length") or 0)
    if content_length > settings.upload_max_bytes + 1024 * 1024:
        raise UploadTooLarge(f"At most {settings.upload_max_bytes} bytes are accepted.")
    await storage.refuse_if_full(content_length)
    return await receive_form(
        request.stream(),
        request.headers.get("content-type", ""),
        storage,
        settings.upload_max_bytes,
        file_field,
    )


@asynccontextmanager
async def discard_on_error(form: UploadForm) -> AsyncGenerator[StoredFile]:
    """Yield the stored file; delete it if the block raises a Problem.

    After any other error it is unknown whether the row was committed (the connection can be lost
    during COMMIT), so the file is kept; if no row references it, it is swept a day later. Raises
    FileMissing or FileEmpty.
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
    """Create a video for the stored file; deletes the file if the transaction fails."""
    async with discard_on_error(form) as file:
        draft = draft_of(form.fields)
        async with transaction() as session:
            video = await Media(session).accept(draft, file, uploaded_by)
            return await _created(session, video.id, uploaded_by)


async def _create_draft(body: bytes, uploaded_by: int) -> VideoRead:
    """Create a video without a file; viewers cannot see it before it is playable."""
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
    """Record the upload in the audit log, and read the video as its editor sees it."""
    await Audit(session).record_change(f"Upload a video: /videos/{video_id}", by=editor)
    viewer = Viewer(editor, 0, Role.EDITOR, ALL_AGES, member=True)
    return await Catalog(session).read(viewer, video_id)
