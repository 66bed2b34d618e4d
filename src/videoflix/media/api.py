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
from videoflix.catalog.schemas import Video, VideoDraft
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.catalog.service.catalog import CategoryUnknown
from videoflix.catalog.service.editing import Desk
from videoflix.media.forms import FileUpload, FilmUpload
from videoflix.media.models import AssetState
from videoflix.media.multipart import (
    FileEmpty,
    FileMissing,
    UploadBroken,
    UploadTooLarge,
    receive_form,
)
from videoflix.media.schemas import AssetShown, Form, StoredFile
from videoflix.media.service import Failures, Media
from videoflix.media.service.failures import NothingToRetry, SourceRemoved
from videoflix.platform.auth.identity import Role, admins_only, editors_only
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
from videoflix.platform.json_body import invalid_input, with_integers
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import (
    BadInput,
    Forbidden,
    InvalidInput,
    Problem,
    SignInNeeded,
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
from videoflix.profiles.schemas import ALL_AGES, Viewing
from videoflix.settings import settings

OfFilm = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]
# `state` is a name Litestar keeps for itself.
OfState = Annotated[str | None, QueryParameter(name="state", schema_extra=names_of(AssetState))]


class TitleMissing(BadInput):
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
            CategoryUnknown,
            FileMissing,
            FileEmpty,
            UploadBroken,
            InvalidInput,
            SignInNeeded,
            Forbidden,
            UploadTooLarge,
            UnsupportedMediaType,
            StorageFull,
            StorageUnavailable,
        ),
    )
    async def upload_video(self, request: Request[Any, Any, Any]) -> Response[Video]:
        """Upload a film as multipart/form-data: `title`, optional details, `file`.

        Bytes go straight to the storage; a film of any size takes little memory. The answer
        comes when the file is safe; inspection and encoding follow in the background. A JSON
        body enters a draft whose file follows.
        """
        if request.headers.get("content-type", "").startswith("application/json"):
            video = await _enter_draft(await request.body(), request.user.user_id)
        else:
            video = await _enter(await receive(request), request.user.user_id)
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
            UploadBroken,
            SignInNeeded,
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
        form = await receive(request)
        async with kept(form) as file, transaction() as session:
            await Media(session).replace(video_id, file)
            line = f"Give a film its file: PUT /videos/{video_id}/file"
            await Audit(session).record_change(line, by=request.user.user_id)

    @post(
        "/{video_id:int}/retry",
        summary="Retry a film",
        status_code=HTTP_202_ACCEPTED,
        dependencies={"failures": service(Failures)},
        responses=problems(SignInNeeded, Forbidden, VideoNotFound, NothingToRetry, SourceRemoved),
    )
    async def retry_video(
        self,
        request: Request[Any, Any, Any],
        failures: NamedDependency[Failures],
        video_id: Id,
    ) -> Video:
        """Resume the work on the film's newest file, after it failed or while it is stalled.

        Chunks that are encoded already are not encoded again.
        """
        await failures.retry(video_id)
        viewing = Viewing(request.user.user_id, 0, Role.EDITOR, ALL_AGES, member=True)
        return await failures.catalog.shown(viewing, video_id)

    @get(
        "/{video_id:int}/sources",
        summary="List a film's files",
        dependencies={"media": service(Media)},
        responses=problems(SignInNeeded, Forbidden, VideoNotFound),
    )
    async def list_files(
        self,
        media: NamedDependency[Media],
        video_id: Id,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[AssetShown]:
        """List the files that were uploaded for a film, the newest first, and why one failed."""
        page = LimitOffset(limit, offset)
        found, total = await media.listed(page, video_id=video_id, state=None)
        return Page(found, total, limit, offset)

    @delete(
        "/{video_id:int}",
        summary="Delete a film",
        dependencies={"media": service(Media), "desk": service(Desk)},
        responses=problems(SignInNeeded, Forbidden, VideoNotFound),
    )
    async def delete_video(
        self,
        media: NamedDependency[Media],
        desk: NamedDependency[Desk],
        video_id: Id,
        permanently: FromQuery[bool] = False,
    ) -> None:
        """Delete a film: nobody sees it any more. It can be restored for 30 days.

        With `permanently`, it is gone at once and its files follow.
        """
        if permanently:
            await media.remove(video_id)
        else:
            await desk.delete(video_id)


class AssetController(Controller):
    path = "/assets"
    tags = ("Media",)
    guards = (admins_only,)
    dependencies = {"media": service(Media)}

    @get(summary="List uploaded files", responses=problems(SignInNeeded, Forbidden))
    async def list_assets(
        self,
        media: NamedDependency[Media],
        video_id: OfFilm = None,
        asset_state: OfState = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[AssetShown]:
        """List the files films were made of, the newest first."""
        wanted = one_of(AssetState, "state", asset_state)
        page = LimitOffset(limit, offset)
        found, total = await media.listed(page, video_id=video_id, state=wanted)
        return Page(found, total, limit, offset)


async def receive(request: Request[Any, Any, Any], file_field: str = "file") -> Form:
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
async def kept(form: Form) -> AsyncGenerator[StoredFile]:
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


async def _enter(form: Form, uploaded_by: int) -> Video:
    """Enter the stored file; its own transaction, so that a failed one leaves no file behind."""
    async with kept(form) as file:
        draft = _draft(form.fields)
        async with transaction() as session:
            video = await Media(session).accept(draft, file, uploaded_by)
            return await _entered(session, video.id, uploaded_by)


async def _enter_draft(body: bytes, uploaded_by: int) -> Video:
    """Enter a film without a file; nobody but editors sees it before it has one."""
    try:
        draft = msgspec.convert(with_integers(msgspec.json.decode(body)), VideoDraft)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from error
    except msgspec.DecodeError as error:
        raise BadInput(str(error)) from error
    async with transaction() as session:
        video = await Catalog(session).add(draft, uploaded_by)
        return await _entered(session, video.id, uploaded_by)


async def _entered(session: AsyncSession, video_id: int, editor: int) -> Video:
    """The film as its editor sees it; that it was entered is noted."""
    await Audit(session).record_change(f"Upload a film: /videos/{video_id}", by=editor)
    viewing = Viewing(editor, 0, Role.EDITOR, ALL_AGES, member=True)
    return await Catalog(session).shown(viewing, video_id)


def _draft(fields: dict[str, str]) -> VideoDraft:
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
        return msgspec.convert(described, VideoDraft, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_input(error) from error
