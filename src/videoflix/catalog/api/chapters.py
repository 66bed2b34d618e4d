"""Chapters over HTTP: read by viewers, written by editors."""

from typing import Annotated

from litestar import Controller, Response, get, put
from litestar.di import NamedDependency
from litestar.params import Body

from videoflix.catalog.schemas import ChapterRead, ChapterWrite
from videoflix.catalog.service.catalog import VideoNotFound
from videoflix.catalog.service.chapters import Chapters, ChaptersInvalid, DurationUnknown
from videoflix.platform.auth.identity import CurrentUser, editors_only, signed_in
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.profiles.service import VIEWER_PROBLEMS, current_viewer

CHAPTERS_MAX = 500
ChapterList = Annotated[list[ChapterWrite], Body(max_items=CHAPTERS_MAX)]


class ChapterController(Controller):
    path = "/videos/{video_id:int}/chapters"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {"chapters": service(Chapters)}

    @get(summary="List chapters", responses=problems(*VIEWER_PROBLEMS, VideoNotFound))
    async def list_chapters(
        self, user: CurrentUser, chapters: NamedDependency[Chapters], video_id: Id
    ) -> Response[list[ChapterRead]]:
        """List the chapters of a video, by time; players can use `chapters.vtt`."""
        found = await chapters.read(await current_viewer(user), video_id)
        return Response(found, headers={"Cache-Control": "private, no-cache"})

    @put(
        summary="Replace chapters",
        guards=[editors_only],
        tags=["Editing"],
        responses=problems(
            Unauthorized, Forbidden, VideoNotFound, ChaptersInvalid, DurationUnknown
        ),
    )
    async def put_chapters(
        self, chapters: NamedDependency[Chapters], video_id: Id, data: ChapterList
    ) -> list[ChapterRead]:
        """Replace all chapters of a video; an empty list deletes them.

        They must be in order and inside the video, and must not overlap. They are kept when the
        video's file is replaced; otherwise it gets the chapters of the new file.
        """
        await chapters.write(video_id, data)
        return await chapters.of_video(video_id)
