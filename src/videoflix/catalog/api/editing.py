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
    Video,
    VideoChange,
)
from videoflix.catalog.service.catalog import Catalog, CategoryUnknown, VideoNotFound
from videoflix.catalog.service.editing import Desk, SubtitleNotFound, SubtitleRefused
from videoflix.catalog.subtitles import MAX_BYTES
from videoflix.platform.auth.identity import Identity, editors_only, signed_in
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, SignInNeeded, problems
from videoflix.profiles.schemas import unlimited
from videoflix.profiles.service import viewing_of

Language = Annotated[str, PathParameter(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?(?!\n)$", max_length=5)]
VttFile = Annotated[
    str, PathParameter(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?\.vtt(?!\n)$", max_length=9)
]
REFUSED = (SignInNeeded, Forbidden, VideoNotFound)


class SubtitleForm(msgspec.Struct):
    """A form with the file in its field `data`."""

    data: UploadFile


class DeskController(Controller):
    path = "/videos"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"desk": service(Desk)}

    @patch(
        "/{video_id:int}",
        summary="Describe a film",
        responses=problems(*REFUSED, CategoryUnknown),
    )
    async def change_video(
        self,
        request: Request[Any, Any, Any],
        desk: NamedDependency[Desk],
        video_id: Id,
        data: JSONBody[VideoChange],
    ) -> Video:
        """Change what is said about a film; what is left out stays."""
        await desk.change(video_id, data)
        return await _shown(request.user, desk, video_id)

    @post(
        "/{video_id:int}/publish",
        summary="Publish or schedule a film",
        status_code=HTTP_200_OK,
        responses=problems(*REFUSED),
    )
    async def publish_video(
        self,
        request: Request[Any, Any, Any],
        desk: NamedDependency[Desk],
        video_id: Id,
        data: JSONBody[PublishRequest],
    ) -> Video:
        """Let viewers see a film, at once or from `publish_at` on."""
        await desk.publish(video_id, data.publish_at)
        return await _shown(request.user, desk, video_id)

    @post(
        "/{video_id:int}/unpublish",
        summary="Make a film a draft again",
        status_code=HTTP_200_OK,
        responses=problems(*REFUSED),
    )
    async def unpublish_video(
        self, request: Request[Any, Any, Any], desk: NamedDependency[Desk], video_id: Id
    ) -> Video:
        """Hide a film from viewers; nothing about it is lost."""
        await desk.unpublish(video_id)
        return await _shown(request.user, desk, video_id)

    @post(
        "/{video_id:int}/restore",
        summary="Restore a deleted film",
        status_code=HTTP_200_OK,
        responses=problems(*REFUSED),
    )
    async def restore_video(
        self, request: Request[Any, Any, Any], desk: NamedDependency[Desk], video_id: Id
    ) -> Video:
        """Bring a film back within 30 days of its deletion."""
        await desk.restore(video_id)
        return await _shown(request.user, desk, video_id)

    @post(
        "/bulk",
        summary="Do one thing to many films",
        status_code=HTTP_200_OK,
        responses=problems(*REFUSED),
    )
    async def change_many(
        self, desk: NamedDependency[Desk], data: JSONBody[BulkRequest]
    ) -> BulkResult:
        """Publish, unpublish, delete, restore or feature up to a hundred films: all or none."""
        return BulkResult(await desk.in_bulk(data))

    @put(
        "/{video_id:int}/subtitles/{language:str}",
        summary="Upload subtitles",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=MAX_BYTES + 64 * 1024,
        responses=problems(*REFUSED, SubtitleRefused),
    )
    async def put_subtitle(
        self,
        desk: NamedDependency[Desk],
        video_id: Id,
        language: Language,
        data: Annotated[SubtitleForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None:
        """Keep a WebVTT or SubRip file as the form field `data`; its words are found by search."""
        await desk.put_subtitle(video_id, language, "", await data.data.read())

    @delete(
        "/{video_id:int}/subtitles/{language:str}",
        summary="Delete subtitles",
        responses=problems(*REFUSED, SubtitleNotFound),
    )
    async def delete_subtitle(
        self, desk: NamedDependency[Desk], video_id: Id, language: Language
    ) -> None:
        """Delete the subtitles of one language."""
        await desk.remove_subtitle(video_id, language)


class SubtitleController(Controller):
    path = "/videos/{video_id:int}/subtitles"
    tags = ("Playback",)
    guards = (signed_in,)
    dependencies = {"desk": service(Desk)}

    @get(
        "/{language:str}",
        summary="Subtitles",
        media_type="text/vtt",
        responses=problems(SignInNeeded, VideoNotFound, SubtitleNotFound),
    )
    async def show_subtitle(
        self,
        request: Request[Any, Any, Any],
        desk: NamedDependency[Desk],
        video_id: Id,
        language: VttFile,
    ) -> Response[str]:
        """Subtitles as WebVTT: `en.vtt`."""
        viewing = await viewing_of(request.user)
        text = await desk.subtitle(viewing, video_id, language.removesuffix(".vtt"))
        headers = {"Cache-Control": "private, no-cache"}
        return Response(text, media_type="text/vtt", headers=headers)


async def _shown(editor: Identity, desk: Desk, video_id: int) -> Video:
    """The film as it is now, in the transaction that changed it."""
    await desk.session.flush()
    desk.session.expire_all()
    catalog: Catalog = desk.catalog
    return await catalog.shown(unlimited(editor), video_id)
