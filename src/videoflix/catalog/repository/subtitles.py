"""Subtitles and their lines."""

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, insert

from videoflix.catalog.models import Subtitle, SubtitleCue
from videoflix.catalog.subtitles import Cue


class SubtitleRepository(SQLAlchemyAsyncRepository[Subtitle]):
    """The spoken words of films, one row a language."""

    model_type = Subtitle

    async def replace(
        self, video_id: int, language: str, label: str, text: str, cues: Sequence[Cue]
    ) -> None:
        """Keep this subtitle in place of the one of the same language."""
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
        """False when there was none."""
        gone = await self.session.scalar(
            delete(Subtitle)
            .where(Subtitle.video_id == video_id, Subtitle.language == language)
            .returning(Subtitle.id)
        )
        return gone is not None
