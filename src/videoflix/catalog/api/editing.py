"""Routes for editors: update, publish, delete and restore videos; subtitles."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody, PathParameter
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.catalog.schemas import (
    BulkRequest,
    BulkResult,
    PublishRequest,
    VideoRead,
    VideoUpdate,
)
from videoflix.catalog.service.catalog import Catalog, UnknownCategory, VideoNotFound
from videoflix.catalog.service.editing import Editing, SubtitleNotFound, SubtitleUnreadable
from videoflix.catalog.subtitles import MAX_BYTES
from videoflix.platform.auth.identity import CurrentUser, Identity, editors_only, signed_in
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.profiles.schemas import unrestricted_viewer
from videoflix.profiles.service import current_viewer

Language = Annotated[str, PathParameter(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?(?!\n)$", max_length=5)]
VttFile = Annotated[
    str, PathParameter(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?\.vtt(?!\n)$", max_length=9)
]
EDITOR_PROBLEMS = (Unauthorized, Forbidden, VideoNotFound)


class SubtitleForm(msgspec.Struct):
    """A form with the subtitle file in its field `data`."""

    data: UploadFile


class VideoEditingController(Controller):
    path = "/videos"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"editing": service(Editing)}

    @patch(
        "/{video_id:int}",
        summary="Update a video",
        responses=problems(*EDITOR_PROBLEMS, UnknownCategory),
    )
    async def change_video(
        self,
        user: CurrentUser,
        editing: NamedDependency[Editing],
        video_id: Id,
        data: JSONBody[VideoUpdate],
    ) -> VideoRead:
        """Update the details of a video; omitted fields stay unchanged."""
        await editing.change(video_id, data)
        return await _read(user, editing, video_id)

    @post(
        "/{video_id:int}/publish",
        summary="Publish or schedule a video",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def publish_video(
        self,
        user: CurrentUser,
        editing: NamedDependency[Editing],
        video_id: Id,
        data: JSONBody[PublishRequest],
    ) -> VideoRead:
        """Publish a video now, or schedule it for `publish_at`."""
        await editing.publish(video_id, data.publish_at)
        return await _read(user, editing, video_id)

    @post(
        "/{video_id:int}/unpublish",
        summary="Unpublish a video",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def unpublish_video(
        self, user: CurrentUser, editing: NamedDependency[Editing], video_id: Id
    ) -> VideoRead:
        """Turn a video back into a draft: viewers no longer see it, and nothing is deleted."""
        await editing.unpublish(video_id)
        return await _read(user, editing, video_id)

    @post(
        "/{video_id:int}/restore",
        summary="Restore a deleted video",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def restore_video(
        self, user: CurrentUser, editing: NamedDependency[Editing], video_id: Id
    ) -> VideoRead:
        """Restore a video within 30 days of its deletion."""
        await editing.restore(video_id)
        return await _read(user, editing, video_id)

    @post(
        "/bulk",
        summary="Update videos in bulk",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def change_many(
        self, editing: NamedDependency[Editing], data: JSONBody[BulkRequest]
    ) -> BulkResult:
        """Publish, unpublish, delete, restore or feature up to 100 videos, in one transaction."""
        return BulkResult(await editing.apply_bulk(data))

    @put(
        "/{video_id:int}/subtitles/{language:str}",
        summary="Upload subtitles",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=MAX_BYTES + 64 * 1024,
        responses=problems(*EDITOR_PROBLEMS, SubtitleUnreadable),
    )
    async def put_subtitle(
        self,
        editing: NamedDependency[Editing],
        video_id: Id,
        language: Language,
        data: Annotated[SubtitleForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None:
        """Store a WebVTT or SubRip file, sent as the form field `data`, and index it for search."""
        await editing.put_subtitle(video_id, language, "", await data.data.read())

    @delete(
        "/{video_id:int}/subtitles/{language:str}",
        summary="Delete subtitles",
        responses=problems(*EDITOR_PROBLEMS, SubtitleNotFound),
    )
    async def delete_subtitle(
        self, editing: NamedDependency[Editing], video_id: Id, language: Language
    ) -> None:
        """Delete the subtitles of one language."""
        await editing.remove_subtitle(video_id, language)


class SubtitleController(Controller):
    path = "/videos/{video_id:int}/subtitles"
    tags = ("Playback",)
    guards = (signed_in,)
    dependencies = {"editing": service(Editing)}

    @get(
        "/{language:str}",
        summary="Get subtitles",
        media_type="text/vtt",
        responses=problems(Unauthorized, VideoNotFound, SubtitleNotFound),
    )
    async def show_subtitle(
        self,
        user: CurrentUser,
        editing: NamedDependency[Editing],
        video_id: Id,
        language: VttFile,
    ) -> Response[str]:
        """Return subtitles as WebVTT, such as `en.vtt`."""
        viewer = await current_viewer(user)
        text = await editing.subtitle(viewer, video_id, language.removesuffix(".vtt"))
        headers = {"Cache-Control": "private, no-cache"}
        return Response(text, media_type="text/vtt", headers=headers)


async def _read(editor: Identity, editing: Editing, video_id: int) -> VideoRead:
    """Read a video back in the transaction that changed it."""
    await editing.session.flush()
    editing.session.expire_all()
    catalog: Catalog = editing.catalog
    return await catalog.read(unrestricted_viewer(editor), video_id)
