"""Import and export of the title list of older backends."""

from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.backup.legacy_titles import InvalidTitleList, Title, listed, read_titles
from videoflix.backup.repository.legacy_titles import TitleRepository
from videoflix.backup.service.exports import atomic_file
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service import Catalog
from videoflix.platform.postgres.session import transaction

NO_FILE = "file-missing"
NO_FILE_REASON = "The title was imported from a list; upload its video file."


class LegacyTitleReport(msgspec.Struct):
    """Numbers of imported titles, and of those that already existed."""

    entered: int = 0
    known: int = 0


class LegacyTitles:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.titles = TitleRepository(session)

    async def import_titles(self, data: bytes, *, dry_run: bool) -> LegacyTitleReport:
        """Import the titles of a list as drafts without a file, skipping existing ones.

        Raises InvalidTitleList.
        """
        report = LegacyTitleReport()
        drafts = [(title, _draft(title)) for title in read_titles(data)]
        for title, draft in drafts:
            if await self.titles.is_known(title.title, title.author):
                report.known += 1
                continue
            report.entered += 1
            if not dry_run:
                await self._add(title, draft)
        return report

    async def _add(self, title: Title, draft: VideoCreate) -> None:
        video = await self.catalog.add(draft, None)
        if title.uploaded_at:
            video.created_at = title.uploaded_at
        await self.session.flush()
        await self.catalog.fail(video.id, NO_FILE, NO_FILE_REASON)


async def save_titles(path: Path) -> int:
    """Write all titles to a file; return their number. Raises FileNotWritten."""
    count = 0
    async with transaction() as session, atomic_file(path) as write:
        await write(b"[")
        async for rows in TitleRepository(session).all():
            begin = b",\n" if count else b"\n"
            await write(begin + b",\n".join(listed(row) for row in rows))
            count += len(rows)
        await write(b"\n]\n")
    return count


def _draft(title: Title) -> VideoCreate:
    """Convert a title to a draft. Raises InvalidTitleList."""
    fields = msgspec.structs.asdict(title) | {"publish": False}
    del fields["uploaded_at"]
    try:
        return msgspec.convert(fields, VideoCreate)
    except msgspec.ValidationError as error:
        raise InvalidTitleList(f"{title.title[:50]}: {error}.") from error
