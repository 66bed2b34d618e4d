"""Import of categories and videos, with their files."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video
from videoflix.catalog.schemas import CategoryTitle, VideoCreate
from videoflix.catalog.service import Browse, Catalog
from videoflix.importers.repository import ImportRepository
from videoflix.importers.schemas import Kind, OldCategory, OldVideo
from videoflix.importers.service.context import ImportContext
from videoflix.media.schemas import StoredFile, base_name
from videoflix.media.service import Media
from videoflix.platform.storage.media_storage import media_storage

LANGUAGES = {"english": "en", "german": "de", "french": "fr"}

INVALID = "does not fit"
NO_FILE = "file-missing"
NO_FILE_REASON = "The video was imported without its file; upload it."
FILE_MISSING = "came without its file, which is not in the media folder"
FILE_NOT_GIVEN = "came without its file, as no media folder was given"


class Titles:
    def __init__(self, session: AsyncSession, context: ImportContext) -> None:
        self.session = session
        self.context = context
        self.repository = ImportRepository(session)

    async def add_categories(self, categories: Sequence[OldCategory]) -> None:
        """Add categories, or use the existing ones with the same names."""
        report = self.context.reports[Kind.CATEGORY]
        there = await self.repository.categories()
        for category in await self.context.unknown(self.session, Kind.CATEGORY, categories):
            try:
                name = msgspec.convert(category.name.strip(), CategoryTitle)
            except msgspec.ValidationError as error:
                report.leave_out(f"{INVALID}: {error}", f"{category.id} {category.name[:50]}")
                continue
            if name not in there:
                there[name] = (await Browse(self.session).add_category(name, "", None)).id
            await self.context.added(self.session, Kind.CATEGORY, {category.id: there[name]})

    async def add_video(self, old: OldVideo, draft: VideoCreate, file: StoredFile | None) -> None:
        """Add a video, with the file that was stored for it; without one, it waits for a file."""
        uploader = self.context.ids[Kind.USER].get(old.uploaded_by or old.user or 0)
        if uploader not in await self.repository.existing_users([uploader or 0]):
            uploader = None
        free = await self.repository.free_ids(Video, [old.id])
        new_id = old.id if old.id in free else None
        if file is None:
            video = await Catalog(self.session).add(draft, uploader, new_id)
        else:
            video = await Media(self.session).accept(draft, file, uploader, new_id)
        since = old.uploaded_at or old.created_at
        if since is not None and since < datetime.now(UTC):
            video.created_at = video.published_at = since
        await self.session.flush()
        if file is None:
            await Catalog(self.session).fail(video.id, NO_FILE, NO_FILE_REASON)
        await self.context.added(self.session, Kind.VIDEO, {old.id: video.id})


def draft_of(context: ImportContext, old: OldVideo) -> VideoCreate | None:
    """Convert a video's details; None, and noted, if they do not fit."""
    language = (old.language or "").lower()
    category = context.ids[Kind.CATEGORY].get(old.category or 0)
    fields = {
        "title": old.title.strip(),
        "description": (old.description or "").strip(),
        "author": (old.author or "").strip(),
        "genre": (old.genre or "").strip(),
        "language": LANGUAGES.get(language, language or "en"),
        "featured": old.is_featured or old.is_favorite,
        "categories": [] if category is None else [category],
    }
    try:
        return msgspec.convert(fields, VideoCreate)
    except msgspec.ValidationError as error:
        report = context.reports[Kind.VIDEO]
        report.leave_out(f"{INVALID}: {error}", f"{old.id} {old.title[:50]}")
        return None


async def store_file(context: ImportContext, old: OldVideo) -> StoredFile | None:
    """Copy a video's file from the media folder into the storage, and note it if there is none.

    A trial run only looks for it. Raises StorageProblem.
    """
    report = context.reports[Kind.VIDEO]
    if context.media is None:
        report.note(FILE_NOT_GIVEN, old.title)
        return None
    path = await asyncio.to_thread(_below, context.media, old.path)
    if path is None:
        report.note(FILE_MISSING, f"{old.title}: {old.path or 'no path'}")
        return None
    if context.dry_run:
        return None
    storage = media_storage()
    await storage.refuse_if_full((await asyncio.to_thread(path.stat)).st_size)
    folder = f"assets/{uuid.uuid4().hex}"
    kept = await storage.put(f"{folder}/source", path)
    return StoredFile(folder, f"{folder}/source", base_name(path.name), kept.size, kept.sha256)


def _below(media: Path, name: str) -> Path | None:
    """The file with this relative path, unless it is outside of the folder."""
    if not name or "\x00" in name:
        return None
    path = (media / name).resolve()
    return path if path.is_relative_to(media.resolve()) and path.is_file() else None
