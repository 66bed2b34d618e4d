"""Uploads over HTTP."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, delete, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_201_CREATED

from videoflix.catalog.schemas import Video, VideoDraft
from videoflix.catalog.service import VideoNotFound
from videoflix.media.service import Media
from videoflix.media.uploads import (
    FileEmpty,
    FileMissing,
    Form,
    UploadBroken,
    UploadTooLarge,
    receive_form,
)
from videoflix.platform.db import transaction
from videoflix.platform.identity import editors_only
from videoflix.platform.problems import (
    BadInput,
    Forbidden,
    InvalidInput,
    SignInNeeded,
    UnsupportedMediaType,
    problems,
)
from videoflix.platform.storage import Storage, StorageFull, media_storage
from videoflix.platform.web import Id, service
from videoflix.settings import settings


class TitleMissing(BadInput):
    """Give the film a title: the form field “title”, at most 200 characters."""


class UploadController(Controller):
    path = "/videos"
    tags = ("Media",)
    guards = (editors_only,)

    @post(
        summary="Upload a film",
        status_code=HTTP_201_CREATED,
        request_max_body_size=None,
        responses=problems(
            TitleMissing,
            FileMissing,
            FileEmpty,
            UploadBroken,
            InvalidInput,
            SignInNeeded,
            Forbidden,
            UploadTooLarge,
            UnsupportedMediaType,
            StorageFull,
        ),
    )
    async def upload_video(self, request: Request[Any, Any, Any]) -> Response[Video]:
        """Upload a film as multipart/form-data: `title`, optional `description`, `file`.

        Bytes go straight to the storage; a film of any size takes little memory. The answer
        comes when the file is safe; inspection and encoding follow in the background.
        """
        storage = media_storage()
        announced = int(request.headers.get("content-length") or 0)
        if announced > settings.upload_max_bytes + 1024 * 1024:
            raise UploadTooLarge(f"At most {settings.upload_max_bytes} bytes are accepted.")
        await storage.refuse_if_full(announced)
        form = await receive_form(
            request.stream(),
            request.headers.get("content-type", ""),
            storage,
            settings.upload_max_bytes,
        )
        video = await _enter(form, storage, request.user.user_id)
        headers = {"Location": f"/api/v1/videos/{video.id}"}
        return Response(video, status_code=HTTP_201_CREATED, headers=headers)

    @delete(
        "/{video_id:int}",
        summary="Delete a film",
        dependencies={"media": service(Media)},
        responses=problems(SignInNeeded, Forbidden, VideoNotFound),
    )
    async def delete_video(self, media: NamedDependency[Media], video_id: Id) -> None:
        """Delete a film: it leaves the catalogue at once, its files follow."""
        await media.remove(video_id)


async def _enter(form: Form, storage: Storage, uploaded_by: int) -> Video:
    """Enter the stored file; its own transaction, so that a failed one leaves no file behind."""
    if form.file is None:
        raise FileMissing
    try:
        if form.file.size == 0:
            raise FileEmpty
        draft = _draft(form.fields)
        async with transaction() as session:
            video = await Media(session).accept(draft, form.file, uploaded_by)
            return Video.of(video)
    except BaseException:
        await storage.delete_below(form.file.folder)
        raise


def _draft(fields: dict[str, str]) -> VideoDraft:
    title = fields.pop("title", "").strip()
    if not title:
        raise TitleMissing
    try:
        return msgspec.convert({**fields, "title": title}, VideoDraft)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`")
        raise InvalidInput(str(error), errors=[{"field": field, "message": reason}]) from error
