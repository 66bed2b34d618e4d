"""Subtitle tracks and their cues."""

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, insert

from videoflix.catalog.models import Subtitle, SubtitleCue
from videoflix.catalog.subtitles import Cue


class SubtitleRepository(SQLAlchemyAsyncRepository[Subtitle]):
    """Subtitle tracks, one row per language."""

    model_type = Subtitle

    async def replace(
        self, video_id: int, language: str, label: str, text: str, cues: Sequence[Cue]
    ) -> None:
        """Replace the subtitle track of this language, if any, with its cues."""
        await self.remove(video_id, language)
        subtitle = await self.add(
            Subtitle(video_id=video_id, language=language, label=label, text=text)
        )
        lines = [
            {
                "subtitle_id": subtitle.id,
                "video_id": video_id,
                "language": language,
                "at": cue.start,
                "text": cue.text,
                "created_at": func.now(),
                "updated_at": func.now(),
            }
            for cue in cues
        ]
        for begin in range(0, len(lines), 500):
            await self.session.execute(insert(SubtitleCue).values(lines[begin : begin + 500]))

    async def remove(self, video_id: int, language: str) -> bool:
        """Delete a subtitle track; False if there is none."""
        deleted_id = await self.session.scalar(
            delete(Subtitle)
            .where(Subtitle.video_id == video_id, Subtitle.language == language)
            .returning(Subtitle.id)
        )
        return deleted_id is not None
