"""Signed download URLs, for players that send no headers.

The signature in the query covers the video and the viewer, not the file name: older players derive
the URLs of other sizes themselves, `clip.mp4` becomes `clip_720p.mp4`.
"""

import re

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video, VideoState
from videoflix.catalog.service import Catalog
from videoflix.media.schemas import DownloadFiles, Mp4File
from videoflix.media.service import Mp4Files
from videoflix.platform.auth.revocations import revocations
from videoflix.platform.auth.tokens import Purpose
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.problems import Conflict, Unauthorized
from videoflix.playback.schemas import DownloadLinks, Mp4Link
from videoflix.playback.service.access import VideoFailed
from videoflix.playback.service.play_tokens import Grant, sign_play_token
from videoflix.playback.service.playlists import plan_allows
from videoflix.playback.service.segments import StreamNotFound
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service import Profiles
from videoflix.settings import settings

# For example clip.mp4, clip_720p.mp4, clip_hd720.mp4, clip_poster.jpg; thumbnails: clip.vtt, .jpg
NAME = re.compile(
    r"[a-z0-9-]{1,120}(?:_(?:(?:hd)?(?P<lines>\d{2,4})p?|(?P<part>poster)))?\.(?P<kind>mp4|vtt|jpg)"
)


class FileNotReady(Conflict):
    """This film's files are still being prepared. Try again in a moment."""


class StoredFile(msgspec.Struct, frozen=True):
    """An object in the storage; `size` is in bytes."""

    key: str
    size: int


class DownloadAddresses(msgspec.Struct, frozen=True):
    """The signed URLs of a video's files, for one viewer."""

    base: str
    query: str
    files: DownloadFiles | None
    has_poster: bool

    @property
    def movies(self) -> tuple[Mp4File, ...]:
        """The packaged MP4 files."""
        return self.files.movies if self.files else ()

    def movie(self, size: str = "") -> str:
        """URL of an MP4 file, packaged or not; `size` is a suffix of the name, such as `_720p`."""
        return f"{self.base}{size}.mp4{self.query}"

    @property
    def poster(self) -> str | None:
        return f"{self.base}_poster.jpg{self.query}" if self.has_poster else None

    @property
    def storyboard(self) -> str | None:
        """URL of the thumbnails' WebVTT file."""
        has_sprite = self.files and self.files.sprite_key
        return f"{self.base}.vtt{self.query}" if has_sprite else None


class Downloads:
    def __init__(self, session: AsyncSession) -> None:
        self.catalog = Catalog(session)
        self.packages = Mp4Files(session)
        self.profiles = Profiles(session)

    async def viewer(self, granted: Grant) -> Viewer:
        """Authenticate a request for a picture. Raises Unauthorized or ProfileNotFound."""
        if granted.sign_in_id in revocations:
            raise Unauthorized("You signed out. Sign in and open the film again.")
        return await self.profiles.viewer_by_link(granted.user_id, granted.profile_id)

    async def links(self, viewer: Viewer, sign_in_id: int, video_id: int) -> DownloadLinks:
        """Signed URLs of all files the viewer can download. Raises VideoNotFound."""
        video = await self.catalog.video(viewer, video_id)
        files = (await self.packages.for_videos([video_id])).get(video_id)
        until = await transaction_time(self.catalog.videos.session) + settings.play_token_lifetime
        links = download_addresses(
            viewer, sign_in_id, video_id, video.slug, files, has_poster=video.poster is not None
        )
        return DownloadLinks(
            movies=[
                Mp4Link(
                    movie.name, movie.width, movie.height, movie.size, links.movie(f"_{movie.name}")
                )
                for movie in allowed_files(viewer, links.movies)
            ],
            poster_url=links.poster,
            storyboard_url=links.storyboard,
            expires_at=until,
        )

    async def movie(self, viewer: Viewer, video_id: int, lines: int | None) -> StoredFile:
        """The largest MP4 file with at most `lines` lines, or else the smallest.

        The caller must have authorized playback (access.py). Raises VideoNotFound or FileNotReady.
        """
        files = await self._files(viewer, video_id)
        if not files.movies:
            raise FileNotReady
        movie = nearest_quality(viewer, files.movies, lines)
        return StoredFile(movie.key, movie.size)

    async def poster(self, viewer: Viewer, video_id: int) -> str:
        """Storage key of the poster. Raises VideoNotFound or StreamNotFound."""
        video = await self.catalog.video(viewer, video_id)
        if video.poster is None:
            raise StreamNotFound
        return video.poster

    async def sprite(self, viewer: Viewer, video_id: int) -> str:
        """Storage key of the thumbnails. Raises VideoNotFound, VideoFailed or FileNotReady."""
        await self._visible(viewer, video_id)
        files = await self._files(viewer, video_id)
        if files.sprite_key is None:
            raise FileNotReady
        return files.sprite_key

    async def storyboard(self, viewer: Viewer, video_id: int, sprite: str) -> str:
        """The storyboard as WebVTT; `sprite` is the URL of the thumbnails.

        Raises VideoNotFound, VideoFailed or FileNotReady.
        """
        await self._visible(viewer, video_id)
        files = await self._files(viewer, video_id)
        vtt = files.vtt(sprite)
        if vtt is None:
            raise FileNotReady
        return vtt

    async def _visible(self, viewer: Viewer, video_id: int) -> Video:
        video = await self.catalog.video(viewer, video_id)
        if video.state is VideoState.FAILED:
            raise VideoFailed(video.failure_reason or "")
        return video

    async def _files(self, viewer: Viewer, video_id: int) -> DownloadFiles:
        files = (await self.packages.for_videos([video_id])).get(video_id)
        if files is None:
            # A cached decision outlives the video until the notification of its deletion arrives.
            await self.catalog.video(viewer, video_id)
            raise FileNotReady
        return files


def download_addresses(
    viewer: Viewer,
    sign_in_id: int,
    video_id: int,
    slug: str,
    files: DownloadFiles | None,
    *,
    has_poster: bool,
) -> DownloadAddresses:
    """Sign the URLs of a video's files for a viewer, valid as long as a play token."""
    token = sign_play_token(
        Purpose.FILE, Grant(video_id, viewer.user_id, viewer.profile_id, sign_in_id)
    )
    base = f"/api/v1/videos/{video_id}/files/{slug or 'film'}"
    return DownloadAddresses(base, f"?token={token}", files, has_poster)


def nearest_quality(viewer: Viewer, movies: tuple[Mp4File, ...], lines: int | None) -> Mp4File:
    """The largest file of at most `lines` lines in the viewer's plan, or else the smallest."""
    allowed = allowed_files(viewer, movies)
    low_enough = [movie for movie in allowed if lines is None or movie.lines <= lines]
    return low_enough[0] if low_enough else allowed[-1]


def allowed_files(viewer: Viewer, movies: tuple[Mp4File, ...]) -> list[Mp4File]:
    """The files in the viewer's plan, largest first."""
    return [movie for movie in movies if plan_allows(viewer, movie.lines, movies[-1].lines)]
