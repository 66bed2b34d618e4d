"""Subtitle tracks and their cues."""

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, insert, select

from videoflix.catalog.models import Subtitle, SubtitleCue
from videoflix.platform.webvtt import Cue


class SubtitleRepository(SQLAlchemyAsyncRepository[Subtitle]):
    """Subtitle tracks, one row per language."""

    model_type = Subtitle

    async def replace(self, track: Subtitle, cues: Sequence[Cue]) -> None:
        """Store a track with its cues, in place of the video's track of this language, if any."""
        await self.remove(track.video_id, track.language)
        subtitle = await self.add(track)
        lines = [
            {
                "subtitle_id": subtitle.id,
                "video_id": track.video_id,
                "language": track.language,
                "at": cue.start,
                "text": cue.text,
                "created_at": func.now(),
                "updated_at": func.now(),
            }
            for cue in cues
        ]
        for begin in range(0, len(lines), 500):
            await self.session.execute(insert(SubtitleCue).values(lines[begin : begin + 500]))

    async def versions(self, video_id: int) -> list[tuple[str, str, str]]:
        """Language, label and MD5 of the text of a video's tracks."""
        rows = await self.session.execute(
            select(Subtitle.language, Subtitle.label, func.md5(Subtitle.text))
            .where(Subtitle.video_id == video_id)
            .order_by(Subtitle.language)
        )
        return [(language, label, digest) for language, label, digest in rows]

    async def text_of(self, video_id: int, language: str) -> str | None:
        """A track as WebVTT; None if there is none."""
        text: str | None = await self.session.scalar(
            select(Subtitle.text).where(
                Subtitle.video_id == video_id, Subtitle.language == language
            )
        )
        return text

    async def remove_extracted(self, video_id: int) -> None:
        """Delete the tracks that are from the video's file."""
        await self.session.execute(
            delete(Subtitle).where(Subtitle.video_id == video_id, Subtitle.is_extracted)
        )

    async def remove(self, video_id: int, language: str) -> bool:
        """Delete a subtitle track; False if there is none."""
        deleted_id = await self.session.scalar(
            delete(Subtitle)
            .where(Subtitle.video_id == video_id, Subtitle.language == language)
            .returning(Subtitle.id)
        )
        return deleted_id is not None
