"""What players can fetch of an asset, read in two queries regardless of its length."""

from itertools import pairwise
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media import segment_index
from videoflix.media.models import AssetState, TrackKind
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.schemas import Presentation, SegmentedTrack

COMPLETE = frozenset({AssetState.READY, AssetState.RETIRED})


class Presentations:
    def __init__(self, session: AsyncSession) -> None:
        self.assets = AssetRepository(session=session)

    async def current_of(self, video_id: int) -> int | None:
        """The asset to play; None if nothing is playable."""
        return await self.assets.current_of(video_id)

    async def assets_of(self, video_id: int) -> frozenset[int]:
        """All assets of a video, in any state."""
        return await self.assets.ids_of(video_id)

    async def tracks_of(self, asset_id: int) -> list[SegmentedTrack]:
        """The tracks of an asset in any state, as far as they are encoded."""
        return [_track(row) for row in await self.assets.tracks(asset_id)]

    async def for_asset(self, video_id: int, asset_id: int) -> Presentation | None:
        """An asset's segments; also of a retired asset, until its files are deleted."""
        asset = await self.assets.playable(video_id, asset_id)
        if asset is None:
            return None
        tracks = [_track(row) for row in await self.assets.tracks(asset_id)]
        return Presentation(
            asset_id=asset.id,
            video_id=asset.video_id,
            complete=asset.state in COMPLETE,
            frame_rate=asset.frame_rate,
            segment_seconds=asset.segment_frames / asset.frame_rate,
            duration=asset.frame_count / asset.frame_rate,
            tracks={track.name: track for track in tracks},
        )


def _track(row: Any) -> SegmentedTrack:
    """A track up to its first missing chunk: players need contiguous segments."""
    chunks = row.chunks or []
    whole = next((n for n, chunk in enumerate(chunks) if n != chunk), len(chunks))
    parts, firsts = row.segments[:whole], [0]
    for part in parts:
        firsts.append(firsts[-1] + segment_index.count(part))
    hashes = [None, *row.init_sha256s[:whole]]
    changed = [n for n, (before, own) in enumerate(pairwise(hashes)) if own != before]
    return SegmentedTrack(
        name=row.name,
        kind=TrackKind(row.kind),
        language=row.language,
        label=row.label,
        is_described=row.is_described,
        channels=row.channels,
        source_index=row.source_index,
        width=row.width,
        height=row.height,
        max_bitrate=row.max_bitrate,
        codec=row.codecs[0] if whole else "",
        duration=sum(map(_seconds, parts, row.timescales)),
        segments=b"".join(parts),
        firsts=tuple(firsts[:-1]),
        keys=tuple(row.keys[:whole]),
        timescales=tuple(row.timescales[:whole]),
        init_lengths=tuple(row.init_lengths[:whole]),
        maps=tuple(changed),
        key_frames=b"" if None in row.key_frames[:whole] else b"".join(row.key_frames[:whole]),
    )


def _seconds(part: bytes, timescale: int) -> float:
    return (
        sum(ticks for ticks, _ in segment_index.run(part, 0, segment_index.count(part))) / timescale
    )
