"""Posters: uploaded by editors, chosen among frames of the video, or the automatic one."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import OWN_POSTERS, Video
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.media.inventory import own_poster_folder
from videoflix.media.models import Asset
from videoflix.media.payloads import DeleteFolder, MakePoster
from videoflix.media.poster import Candidate, Stills
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.schemas import PosterCandidate
from videoflix.platform.pictures.reencode import Picture
from videoflix.platform.pictures.sizes import sized_key
from videoflix.platform.problems import NotFound, Problem
from videoflix.platform.queue import enqueue
from videoflix.platform.storage.media_storage import media_storage


class CandidateNotFound(NotFound):
    """This film has no such picture to choose as its poster."""


class Posters:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.assets = AssetRepository(session=session)

    async def candidates(self, video_id: int) -> list[PosterCandidate]:
        """List the frames that can be the poster, by time. Raises VideoNotFound."""
        stills = await self._stills(video_id)
        return [
            PosterCandidate(
                number=number,
                seconds=found.seconds,
                url=f"/api/v1/videos/{video_id}/poster/candidates/{number}",
                is_automatic=found.key == stills.poster,
            )
            for number, found in enumerate(stills.candidates)
        ]

    async def candidate(self, video_id: int, number: int) -> Candidate:
        """Raises VideoNotFound or CandidateNotFound."""
        found = (await self._stills(video_id)).candidates
        if number >= len(found):
            raise CandidateNotFound
        return found[number]

    async def use(self, video_id: int, key: str, widths: Sequence[int]) -> None:
        """Show a stored picture as the poster; the former own one is deleted after the commit.

        Raises VideoNotFound.
        """
        video = await self._existing(video_id)
        await self._keep_automatic(video)
        await self._delete_own(video)
        await self.catalog.set_poster(video_id, key, widths)

    async def reset(self, video_id: int) -> None:
        """Show the automatic poster again; without candidates, they are made.

        Raises VideoNotFound.
        """
        video = await self._existing(video_id)
        asset = await self.assets.newest_of(video_id)
        if video.has_own_poster:
            stills = _stills(asset)
            await self._delete_own(video)
            await self.catalog.set_poster(video_id, stills.poster or None, stills.widths)
        if asset is not None and asset.plan is not None and not _stills(asset).candidates:
            await enqueue(self.session, MakePoster(asset_id=asset.id))

    async def without_sizes(self, video_id: int) -> str | None:
        """Storage key of a poster that has no sizes; None if there is none."""
        video = await self.catalog.videos.get_one_or_none(id=video_id)
        return None if video is None or video.poster_widths else video.poster

    async def set_sizes(self, video_id: int, key: str, widths: Sequence[int]) -> None:
        """Set the sizes of a poster, unless it was replaced."""
        video = await self.catalog.videos.locked(video_id)
        if video is not None and video.poster == key:
            await self.catalog.set_poster(video_id, key, widths)

    async def make_again(self, video_id: int) -> None:
        """Enqueue the automatic poster of a video."""
        asset = await self.assets.newest_of(video_id)
        if asset is not None:
            await enqueue(self.session, MakePoster(asset_id=asset.id))

    async def _stills(self, video_id: int) -> Stills:
        video = await self.catalog.videos.get_one_or_none(id=video_id, deleted_at=None)
        if video is None:
            raise VideoNotFound
        return _stills(await self.assets.newest_of(video_id))

    async def _keep_automatic(self, video: Video) -> None:
        """Keep the automatic poster that an earlier release made, for `reset`."""
        asset = await self.assets.newest_of(video.id)
        if asset is None or asset.stills is not None or video.poster is None:
            return
        if video.poster.startswith(f"{asset.folder}/"):
            stills = Stills(video.poster, tuple(video.poster_widths))
            asset.stills = msgspec.to_builtins(stills)

    async def _delete_own(self, video: Video) -> None:
        if folder := own_poster_folder(video):
            await enqueue(self.session, DeleteFolder(folder=folder))

    async def _existing(self, video_id: int) -> Video:
        """Lock a video that is not deleted. Raises VideoNotFound."""
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        return video


@asynccontextmanager
async def stored_poster(
    picture: bytes, sizes: Sequence[Picture]
) -> AsyncGenerator[tuple[str, tuple[int, ...]]]:
    """Store a poster under a new key, so that its URL changes and can be cached for ever.

    Deletes it if the block raises a Problem. After a failed commit, the sweep deletes it.
    """
    folder = f"{OWN_POSTERS}/{uuid.uuid4().hex}"
    key = f"{folder}/poster.jpg"
    async with media_storage().writing(key) as writer:
        await writer.write(picture)
    try:
        yield key, await store_sizes(key, sizes)
    except Problem:
        await media_storage().delete_below(folder)
        raise


async def store_sizes(key: str, sizes: Sequence[Picture]) -> tuple[int, ...]:
    """Store the sizes of a poster; return their widths."""
    for size in sizes:
        async with media_storage().writing(sized_key(key, size.width)) as writer:
            await writer.write(size.data)
    return tuple(size.width for size in sizes)


def _stills(asset: Asset | None) -> Stills:
    if asset is None or asset.stills is None:
        return Stills("")
    return msgspec.convert(asset.stills, Stills)
