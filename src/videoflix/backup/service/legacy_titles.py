"""Titles from and for older backends."""

from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.backup.legacy_titles import Title, TitlesRefused, listed, read_titles
from videoflix.backup.repository.legacy_titles import TitleRepository
from videoflix.backup.service.exports import saving
from videoflix.catalog.schemas import VideoDraft
from videoflix.catalog.service import Catalog
from videoflix.platform.postgres.session import transaction

NO_FILE = "file-missing"
NO_FILE_REASON = "The title was entered from a list; upload the film's file."


class TitleReport(msgspec.Struct):
    """Titles that were entered, and those that were here already."""

    entered: int = 0
    known: int = 0


class Titles:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.titles = TitleRepository(session)

    async def enter(self, data: bytes, *, dry_run: bool) -> TitleReport:
        """Enter the titles of a list as drafts without a file, once each. Raises TitlesRefused."""
        report = TitleReport()
        drafts = [(title, _draft(title)) for title in read_titles(data)]
        for title, draft in drafts:
            if await self.titles.is_known(title.title, title.author):
                report.known += 1
                continue
            report.entered += 1
            if not dry_run:
                await self._enter(title, draft)
        return report

    async def _enter(self, title: Title, draft: VideoDraft) -> None:
        video = await self.catalog.add(draft, None)
        if title.uploaded_at:
            video.created_at = title.uploaded_at
        await self.session.flush()
        await self.catalog.fail(video.id, NO_FILE, NO_FILE_REASON)


async def save_titles(path: Path) -> int:
    """Write every title to a file; how many there were. Raises FileNotWritten."""
    count = 0
    async with transaction() as session, saving(path) as write:
        await write(b"[")
        async for rows in TitleRepository(session).all():
            begin = b",\n" if count else b"\n"
            await write(begin + b",\n".join(listed(row) for row in rows))
            count += len(rows)
        await write(b"\n]\n")
    return count


def _draft(title: Title) -> VideoDraft:
    """Raises TitlesRefused."""
    fields = msgspec.structs.asdict(title) | {"publish": False}
    del fields["uploaded_at"]
    try:
        return msgspec.convert(fields, VideoDraft)
    except msgspec.ValidationError as error:
        raise TitlesRefused(f"{title.title[:50]}: {error}.") from error
