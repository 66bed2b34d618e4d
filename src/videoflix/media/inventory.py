"""The objects that rows reference; fsck and the sweeps compare them with the storage."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from sqlalchemy import LargeBinary, func, select, text, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import OWN_POSTERS, Category, Video
from videoflix.media.models import (
    Asset,
    AssetState,
    PackedSegments,
    Rendition,
    RenditionFile,
    TrackKind,
)
from videoflix.media.poster import Stills
from videoflix.media.segment_index import RECORD
from videoflix.platform.pictures.sizes import original_of, sized_keys

# Folders with a queued deletion: players may still read them until then.
DELETED_LATER = text("""
    select args->>'folder' from procrastinate_jobs
    where task_name = 'media.delete_folder' and status in ('todo', 'doing')
    and args->>'folder' = any(:folders)
""")


class ObjectRole(StrEnum):
    """The kind of an object."""

    SOURCE = "source"
    PART = "part"
    AUDIO = "audio"
    MP4 = "mp4"
    STORYBOARD = "storyboard"
    POSTER = "poster"


class ExpectedObject(msgspec.Struct, frozen=True):
    """An object that a row references; unknown properties are None."""

    key: str
    role: ObjectRole
    size: int | None = None
    sha256: str | None = None
    rendition_id: int | None = None
    rendition: str = ""
    chunk_index: int = 0
    track: int = 0


class AssetInventory(msgspec.Struct, frozen=True):
    """An asset and its objects by key; a failed asset needs only its source."""

    asset_id: int
    video_id: int
    folder: str
    failed: bool
    expected: dict[str, ExpectedObject]


def poster_keys(video: Video, asset: Asset) -> set[str]:
    """Storage keys of the automatic poster of an asset, its sizes, and its candidates."""
    found: set[str] = set()
    if asset.stills:
        found = msgspec.convert(asset.stills, Stills).keys
    if video.poster and video.poster.startswith(f"{asset.folder}/"):
        found |= {video.poster, *sized_keys(video.poster, video.poster_widths)}
    return found


def own_poster_folder(video: Video) -> str | None:
    """The folder of the poster that an editor chose; None if it is the automatic one."""
    return video.poster.rpartition("/")[0] if video.poster and video.has_own_poster else None


class Inventory:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def count(self) -> int:
        """Count the assets."""
        return int(await self.session.scalar(select(func.count(Asset.id))) or 0)

    async def after(self, asset_id: int, limit: int) -> list[AssetInventory]:
        """List the next assets by id."""
        rows = await self.session.execute(
            select(Asset, Video)
            .join(Video, Video.id == Asset.video_id)
            .where(Asset.id > asset_id)
            .order_by(Asset.id)
            .limit(limit)
        )
        return [await self._of(asset, video) for asset, video in rows.all()]

    async def one(self, asset_id: int) -> AssetInventory | None:
        """Read one asset again."""
        found = await self.after(asset_id - 1, 1)
        return found[0] if found and found[0].asset_id == asset_id else None

    async def known_folders(self, folders: Sequence[str]) -> set[str]:
        """Filter the folders that belong to an asset, or that a queued job will delete."""
        found = await self.session.scalars(select(Asset.folder).where(Asset.folder.in_(folders)))
        waiting = await self.session.scalars(DELETED_LATER, {"folders": list(folders)})
        return {*found, *waiting}

    async def used_pictures(self, keys: Sequence[str]) -> set[str]:
        """Filter the pictures of categories and own posters, with their sizes, that are used."""
        pictures = select(Category.picture).where(Category.picture.in_(keys))
        posters = select(Video.poster, Video.poster_widths).where(
            Video.poster.in_([original_of(key) for key in keys])
        )
        used = {key for key in await self.session.scalars(pictures) if key}
        for poster, widths in await self.session.execute(posters):
            used |= {str(poster), *sized_keys(str(poster), widths)}
        return used.intersection(keys)

    async def pictures_after(self, key: str, limit: int) -> list[str]:
        """List the next pictures of categories and own posters, by their keys."""
        pictures = select(Category.picture.label("key")).where(Category.picture > key)
        posters = select(Video.poster.label("key")).where(
            Video.poster.startswith(f"{OWN_POSTERS}/"), Video.poster > key
        )
        listed = union_all(pictures, posters).order_by("key").limit(limit)
        return list(await self.session.scalars(listed))

    async def _of(self, asset: Asset, video: Video) -> AssetInventory:
        objects = []
        if asset.source_removed_at is None:
            objects.append(
                ExpectedObject(
                    asset.source_key,
                    ObjectRole.SOURCE,
                    asset.source_bytes,
                    asset.source_sha256 or None,
                )
            )
        if asset.sprite_key:
            objects.append(
                ExpectedObject(asset.sprite_key, ObjectRole.STORYBOARD, sha256=asset.sprite_sha256)
            )
        if video.preview and video.preview.startswith(f"{asset.folder}/"):
            objects.append(ExpectedObject(video.preview, ObjectRole.STORYBOARD))
        pictures = sorted(poster_keys(video, asset))
        objects += [ExpectedObject(key, ObjectRole.POSTER) for key in pictures]
        objects += await self._renditions(asset.id)
        return AssetInventory(
            asset_id=asset.id,
            video_id=asset.video_id,
            folder=asset.folder,
            failed=asset.state is AssetState.FAILED,
            expected={found.key: found for found in objects},
        )

    async def _renditions(self, asset_id: int) -> list[ExpectedObject]:
        renditions = await self.session.scalars(
            select(Rendition).where(Rendition.asset_id == asset_id)
        )
        found = [
            ExpectedObject(
                rendition.file_key,
                ObjectRole.MP4,
                rendition.file_bytes,
                rendition.file_sha256,
                rendition.id,
                rendition.name,
            )
            for rendition in renditions
            if rendition.file_key
        ]
        # Only the last record, for the file's size: all segments of a long video are megabytes.
        packed = type_coerce(RenditionFile.segments, LargeBinary)
        last = func.substr(packed, func.length(packed) - RECORD.size + 1, type_=PackedSegments)
        rows = await self.session.execute(
            select(
                RenditionFile.key,
                RenditionFile.sha256,
                RenditionFile.chunk_index,
                last,
                Rendition.id,
                Rendition.name,
                Rendition.kind,
                Rendition.track,
            )
            .join(Rendition, Rendition.id == RenditionFile.rendition_id)
            .where(Rendition.asset_id == asset_id)
        )
        for key, sha256, chunk_index, (
            (_, offset, length),
        ), rendition_id, name, kind, track in rows:
            role = ObjectRole.AUDIO if kind is TrackKind.AUDIO else ObjectRole.PART
            size = offset + length
            found.append(
                ExpectedObject(key, role, size, sha256, rendition_id, name, chunk_index, track)
            )
        return found
