"""What editors do with films, over HTTP."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
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
from videoflix.platform.auth.identity import Identity, editors_only, signed_in
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
    """A form with the file in its field `data`."""

    data: UploadFile


class VideoEditingController(Controller):
    path = "/videos"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"editing": service(Editing)}

    @patch(
        "/{video_id:int}",
        summary="Describe a film",
        responses=problems(*EDITOR_PROBLEMS, UnknownCategory),
    )
    async def change_video(
        self,
        request: Request[Any, Any, Any],
        editing: NamedDependency[Editing],
        video_id: Id,
        data: JSONBody[VideoUpdate],
    ) -> VideoRead:
        """Change what is said about a film; what is left out stays."""
        await editing.change(video_id, data)
        return await _shown(request.user, editing, video_id)

    @post(
        "/{video_id:int}/publish",
        summary="Publish or schedule a film",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def publish_video(
        self,
        request: Request[Any, Any, Any],
        editing: NamedDependency[Editing],
        video_id: Id,
        data: JSONBody[PublishRequest],
    ) -> VideoRead:
        """Let viewers see a film, at once or from `publish_at` on."""
        await editing.publish(video_id, data.publish_at)
        return await _shown(request.user, editing, video_id)

    @post(
        "/{video_id:int}/unpublish",
        summary="Make a film a draft again",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def unpublish_video(
        self, request: Request[Any, Any, Any], editing: NamedDependency[Editing], video_id: Id
    ) -> VideoRead:
        """Hide a film from viewers; nothing about it is lost."""
        await editing.unpublish(video_id)
        return await _shown(request.user, editing, video_id)

    @post(
        "/{video_id:int}/restore",
        summary="Restore a deleted film",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def restore_video(
        self, request: Request[Any, Any, Any], editing: NamedDependency[Editing], video_id: Id
    ) -> VideoRead:
        """Bring a film back within 30 days of its deletion."""
        await editing.restore(video_id)
        return await _shown(request.user, editing, video_id)

    @post(
        "/bulk",
        summary="Do one thing to many films",
        status_code=HTTP_200_OK,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def change_many(
        self, editing: NamedDependency[Editing], data: JSONBody[BulkRequest]
    ) -> BulkResult:
        """Publish, unpublish, delete, restore or feature up to a hundred films: all or none."""
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
        """Keep a WebVTT or SubRip file as the form field `data`; its words are found by search."""
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
        summary="Subtitles",
        media_type="text/vtt",
        responses=problems(Unauthorized, VideoNotFound, SubtitleNotFound),
    )
    async def show_subtitle(
        self,
        request: Request[Any, Any, Any],
        editing: NamedDependency[Editing],
        video_id: Id,
        language: VttFile,
    ) -> Response[str]:
        """Subtitles as WebVTT: `en.vtt`."""
        viewer = await current_viewer(request.user)
        text = await editing.subtitle(viewer, video_id, language.removesuffix(".vtt"))
        headers = {"Cache-Control": "private, no-cache"}
        return Response(text, media_type="text/vtt", headers=headers)


async def _shown(editor: Identity, editing: Editing, video_id: int) -> VideoRead:
    """The film as it is now, in the transaction that changed it."""
    await editing.session.flush()
    editing.session.expire_all()
    catalog: Catalog = editing.catalog
    return await catalog.read(unrestricted_viewer(editor), video_id)
