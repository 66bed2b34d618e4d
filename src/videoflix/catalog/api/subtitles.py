"""Routes for subtitle files: read by viewers, uploaded and deleted by editors."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, put
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, PathParameter
from litestar.status_codes import HTTP_204_NO_CONTENT

from videoflix.catalog.service.catalog import VideoNotFound
from videoflix.catalog.service.subtitles import SubtitleNotFound, Subtitles, SubtitleUnreadable
from videoflix.platform.auth.identity import CurrentUser, editors_only, signed_in
from videoflix.platform.http.params import LANGUAGE_TAG, Id, LanguageTag, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.webvtt import MAX_BYTES
from videoflix.profiles.service import current_viewer

VttFile = Annotated[str, PathParameter(pattern=rf"^{LANGUAGE_TAG}\.vtt(?!\n)$", max_length=34)]
EDITOR_PROBLEMS = (Unauthorized, Forbidden, VideoNotFound)


class SubtitleForm(msgspec.Struct):
    """A form with the subtitle file in its field `data`."""

    data: UploadFile


class SubtitleEditingController(Controller):
    path = "/videos/{video_id:int}/subtitles"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"subtitles": service(Subtitles)}

    @put(
        "/{language:str}",
        summary="Upload subtitles",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=MAX_BYTES + 64 * 1024,
        responses=problems(*EDITOR_PROBLEMS, SubtitleUnreadable),
    )
    async def put_subtitle(
        self,
        subtitles: NamedDependency[Subtitles],
        video_id: Id,
        language: LanguageTag,
        data: Annotated[SubtitleForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None:
        """Store a WebVTT or SubRip file, sent as the form field `data`, and index it for search.

        It replaces subtitles of the same language, also those from the video's file.
        """
        await subtitles.put(video_id, language, await data.data.read())

    @delete(
        "/{language:str}",
        summary="Delete subtitles",
        responses=problems(*EDITOR_PROBLEMS, SubtitleNotFound),
    )
    async def delete_subtitle(
        self, subtitles: NamedDependency[Subtitles], video_id: Id, language: LanguageTag
    ) -> None:
        """Delete the subtitles of one language."""
        await subtitles.remove(video_id, language)


class SubtitleController(Controller):
    path = "/videos/{video_id:int}/subtitles"
    tags = ("Playback",)
    guards = (signed_in,)
    dependencies = {"subtitles": service(Subtitles)}

    @get(
        "/{language:str}",
        summary="Get subtitles",
        media_type="text/vtt",
        responses=problems(Unauthorized, VideoNotFound, SubtitleNotFound),
    )
    async def show_subtitle(
        self,
        user: CurrentUser,
        subtitles: NamedDependency[Subtitles],
        video_id: Id,
        language: VttFile,
    ) -> Response[str]:
        """Return subtitles as WebVTT, such as `en.vtt`."""
        viewer = await current_viewer(user)
        text = await subtitles.show(viewer, video_id, language.removesuffix(".vtt"))
        headers = {"Cache-Control": "private, no-cache"}
        return Response(text, media_type="text/vtt", headers=headers)
