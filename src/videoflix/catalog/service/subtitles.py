"""Subtitle tracks of a video: uploaded by editors, or extracted from its file."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Subtitle
from videoflix.catalog.repository.subtitles import SubtitleRepository
from videoflix.catalog.service.catalog import Catalog, VideoNotFound, topic_for
from videoflix.platform.postgres.notify import publish
from videoflix.platform.problems import BadRequest, NotFound
from videoflix.platform.webvtt import (
    Cue,
    InvalidSubtitles,
    parse_cues,
    to_webvtt,
)
from videoflix.profiles.schemas import Viewer


class SubtitleNotFound(NotFound):
    """This film has no subtitles in that language."""


class SubtitleUnreadable(BadRequest):
    """We can't read this subtitle file."""

    slug: ClassVar[str] = "subtitle-refused"


class SubtitleVersion(NamedTuple):
    """A subtitle track without its text; `digest` changes with the text."""

    language: str
    label: str
    digest: str


class Subtitles:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.subtitles = SubtitleRepository(session=session)

    async def put(self, video_id: int, language: str, data: bytes) -> None:
        """Store a WebVTT or SubRip file. Raises VideoNotFound or SubtitleUnreadable."""
        await self._lock(video_id)
        try:
            cues = parse_cues(data)
        except InvalidSubtitles as error:
            raise SubtitleUnreadable(str(error)) from error
        track = Subtitle(video_id=video_id, language=language, label=language, text=to_webvtt(cues))
        await self.subtitles.replace(track, cues)
        await publish(self.session, topic_for(video_id))

    async def replace_extracted(
        self, video_id: int, tracks: Mapping[str, tuple[str, Sequence[Cue]]]
    ) -> None:
        """Replace the tracks from the file by others: label and cues by language.

        Uploaded tracks are kept, and win over one of the same language.
        """
        if await self.catalog.videos.locked(video_id) is None:
            return
        await self.subtitles.remove_extracted(video_id)
        uploaded = {language for language, _, _ in await self.subtitles.versions(video_id)}
        for language, (label, cues) in tracks.items():
            if language not in uploaded:
                track = Subtitle(
                    video_id=video_id,
                    language=language,
                    label=label,
                    text=to_webvtt(cues),
                    is_extracted=True,
                )
                await self.subtitles.replace(track, cues)
        await publish(self.session, topic_for(video_id))

    async def remove(self, video_id: int, language: str) -> None:
        """Delete a subtitle track. Raises VideoNotFound or SubtitleNotFound."""
        await self._lock(video_id)
        if not await self.subtitles.remove(video_id, language):
            raise SubtitleNotFound
        await publish(self.session, topic_for(video_id))

    async def show(self, viewer: Viewer, video_id: int, language: str) -> str:
        """Return a subtitle track as WebVTT. Raises VideoNotFound or SubtitleNotFound."""
        await self.catalog.video(viewer, video_id)
        found = await self.subtitles.text_of(video_id, language)
        if found is None:
            raise SubtitleNotFound
        return found

    async def versions(self, video_id: int) -> list[SubtitleVersion]:
        """The tracks of a video, without their text; for viewers that may see the video."""
        return [SubtitleVersion(*row) for row in await self.subtitles.versions(video_id)]

    async def text_of(self, video_id: int, language: str) -> str | None:
        """A track as WebVTT, for viewers that may see the video; None if there is none."""
        return await self.subtitles.text_of(video_id, language)

    async def _lock(self, video_id: int) -> None:
        """Lock a video that is not deleted. Raises VideoNotFound."""
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
