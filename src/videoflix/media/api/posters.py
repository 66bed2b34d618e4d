"""Posters for editors: upload one, choose a frame of the video, or take the automatic one."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, put
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody, PathParameter
from litestar.status_codes import HTTP_204_NO_CONTENT

from videoflix.catalog.service import VideoNotFound
from videoflix.media.poster import BYTES_MAX, reencode_upload, sizes_of
from videoflix.media.problems import InvalidPoster
from videoflix.media.schemas import PosterCandidate, PosterChoice
from videoflix.media.service.posters import CandidateNotFound, Posters, stored_poster
from videoflix.platform.auth.identity import editors_only
from videoflix.platform.http.params import Id, service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.storage.media_storage import (
    StorageFull,
    StorageUnavailable,
    media_storage,
)

EDITOR_PROBLEMS = (Unauthorized, Forbidden, VideoNotFound)
STORAGE_PROBLEMS = (StorageFull, StorageUnavailable)
Number = Annotated[int, PathParameter(ge=0, le=100)]


class PosterForm(msgspec.Struct):
    """A form with the picture in its field `data`."""

    data: UploadFile


class PosterEditingController(Controller):
    path = "/videos/{video_id:int}/poster"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"posters": service(Posters)}

    @put(
        summary="Upload a poster",
        status_code=HTTP_204_NO_CONTENT,
        request_max_body_size=BYTES_MAX + 64 * 1024,
        responses=problems(*EDITOR_PROBLEMS, InvalidPoster, *STORAGE_PROBLEMS),
    )
    async def put_poster(
        self,
        posters: NamedDependency[Posters],
        video_id: Id,
        data: Annotated[PosterForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None:
        """Store a JPEG, PNG, WebP or AVIF file, sent as the form field `data`, as the poster.

        The picture is re-encoded: metadata is dropped, and it is at most 1280 pixels wide. It is
        kept when the video's file is replaced.
        """
        picture, sizes = await reencode_upload(await data.data.read(BYTES_MAX + 1))
        async with stored_poster(picture, sizes) as (key, widths):
            await posters.use(video_id, key, widths)

    @delete(summary="Restore the automatic poster", responses=problems(*EDITOR_PROBLEMS))
    async def delete_poster(self, posters: NamedDependency[Posters], video_id: Id) -> None:
        """Delete an uploaded or chosen poster: the automatic one is shown again.

        Candidates of videos that were uploaded before they existed are made then.
        """
        await posters.reset(video_id)

    @get(
        "/candidates",
        summary="List candidates for the poster",
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def list_candidates(
        self, posters: NamedDependency[Posters], video_id: Id
    ) -> list[PosterCandidate]:
        """List frames of the video that can be its poster, by time; empty until they are made."""
        return await posters.candidates(video_id)

    @get(
        "/candidates/{number:int}",
        summary="Get a candidate for the poster",
        media_type="image/jpeg",
        responses=problems(*EDITOR_PROBLEMS, CandidateNotFound),
    )
    async def show_candidate(self, video_id: Id, number: Number) -> Response[bytes]:
        """Return a frame of the video, at most 1280 pixels wide."""
        data = await _candidate(video_id, number)
        headers = {"Cache-Control": "private, max-age=60"}
        return Response(data, media_type="image/jpeg", headers=headers)

    @put(
        "/candidate",
        summary="Choose the poster among the candidates",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(*EDITOR_PROBLEMS, CandidateNotFound, *STORAGE_PROBLEMS),
    )
    async def choose_candidate(
        self, posters: NamedDependency[Posters], video_id: Id, data: JSONBody[PosterChoice]
    ) -> None:
        """Show a frame of the video as its poster; it is kept when the file is replaced."""
        picture = await _candidate(video_id, data.number)
        async with stored_poster(picture, await sizes_of(picture)) as (key, widths):
            await posters.use(video_id, key, widths)


async def _candidate(video_id: int, number: int) -> bytes:
    """Read a candidate's picture. Raises VideoNotFound or CandidateNotFound."""
    async with transaction() as session:
        found = await Posters(session).candidate(video_id, number)
    try:
        return await media_storage().read_all(found.key)
    except FileNotFoundError as error:
        raise CandidateNotFound from error
