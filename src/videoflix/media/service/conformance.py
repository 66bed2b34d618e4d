"""The check before a film is published: its finished renditions against the plan.

It needs the segment indexes only, which were read from the files' boxes when they were stored.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media import segment_index
from videoflix.media.conformance.findings import Finding, error, errors
from videoflix.media.conformance.timeline import (
    END_TOLERANCE,
    PLACE_TOLERANCE,
    TimedSegment,
    TimedTrack,
    presentation_findings,
    track_findings,
)
from videoflix.media.models import TrackKind, audio_name
from videoflix.media.plan import EncodePlan
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.repository.chunks import ChunkRepository
from videoflix.media.repository.renditions import RenditionRepository

BROKEN_OUTPUT = "broken-output"
# How many faults the reason mentions.
QUOTED = 2


class PublishGate:
    def __init__(self, session: AsyncSession) -> None:
        self.assets = AssetRepository(session=session)
        self.chunks = ChunkRepository(session=session)
        self.renditions = RenditionRepository(session=session)

    async def faults(self, asset_id: int, plan: EncodePlan) -> list[Finding]:
        """What would break playback of an asset whose files are all there."""
        rows = await self.assets.tracks(asset_id)
        return errors(rendition_findings(rows, plan))

    async def discard(self, asset_id: int, faults: Sequence[Finding]) -> None:
        """Delete the tracks that are at fault, so that a retry makes them again.

        All of a track, as a fault between two of its parts does not say which one is wrong; video
        renditions are encoded together.
        """
        renditions = await self.renditions.of_asset(asset_id)
        blamed = [
            renditions[name] for name in {fault.track for fault in faults} & renditions.keys()
        ]
        for rendition in blamed:
            if rendition.kind is TrackKind.AUDIO:
                await self.renditions.reset_audio(rendition.id)
        if any(rendition.kind is TrackKind.VIDEO for rendition in blamed):
            for index in await self.chunks.indexes(asset_id):
                await self.renditions.reset_chunk(asset_id, index)


def reason_for(faults: Sequence[Finding]) -> str:
    """A sentence for editors."""
    quoted = " ".join(f"{fault.where}: {fault.message}" for fault in faults[:QUOTED])
    others = len(faults) - QUOTED
    more = f" {others} more faults were found." if others > 0 else ""
    return (
        f"The encoded film would not play correctly, so it was not published. {quoted}{more}"
        " Retry to encode these tracks again."
    )


def rendition_findings(rows: Sequence[Any], plan: EncodePlan) -> Iterator[Finding]:
    """Check the rows of a complete asset; see AssetRepository.tracks."""
    expected = [rung.name for rung in plan.rungs]
    expected += [audio_name(track) for track in range(len(plan.audio_renditions))]
    by_name = {row.name: row for row in rows}
    for name in expected:
        if name not in by_name:
            yield error("missing-rendition", name, "The rendition is missing.")
    tracks = [_timed(row) for row in rows]
    for row, track in zip(rows, tracks, strict=True):
        yield from _files(row)
        yield from track_findings(track)
        yield from _length(track, plan)
    yield from presentation_findings(tracks)


def _files(row: Any) -> Iterator[Finding]:
    """Files without a gap, in one codec and timescale."""
    chunks = row.chunks or []
    missing = next((n for n, chunk in enumerate(chunks) if n != chunk), None)
    if missing is not None:
        yield error("missing-file", row.name, f"Part {missing} is missing.")
    for part, (codec, scale) in enumerate(zip(row.codecs, row.timescales, strict=True)):
        if codec != row.codecs[0] or scale != row.timescales[0]:
            message = (
                f"Part {part} has {codec} at {scale} ticks per second, the first"
                f" {row.codecs[0]} at {row.timescales[0]}."
            )
            yield error("codecs", f"{row.name}, part {part}", message)


def _length(track: TimedTrack, plan: EncodePlan) -> Iterator[Finding]:
    apart = abs(track.duration - plan.duration)
    if apart > (PLACE_TOLERANCE if track.is_video else END_TOLERANCE):
        message = f"It lasts {track.duration:.3f} s, the film {plan.duration:.3f} s."
        yield error("tracks-end-together", track.name, message)


def _timed(row: Any) -> TimedTrack:
    segments = [
        segment for part in range(len(row.chunks or [])) for segment in _part_segments(row, part)
    ]
    is_video = TrackKind(row.kind) is TrackKind.VIDEO
    return TimedTrack(row.name, is_video, complete=True, segments=segments)


def _part_segments(row: Any, part: int) -> Iterator[TimedSegment]:
    """The segments of a file, with their times if the file's beginning is known."""
    scale, begin, size = row.timescales[part], row.start_ticks[part], row.file_bytes[part]
    records = segment_index.unpack(row.segments[part])
    bounds = pairwise(accumulate((ticks for ticks, _, _ in records), initial=begin or 0))
    for (ticks, offset, length), (start, stop) in zip(records, bounds, strict=True):
        known = begin is not None
        yield TimedSegment(
            declared=ticks / scale,
            resource=row.chunks[part],
            offset=offset,
            length=length,
            resource_bytes=size,
            start=start / scale if known else None,
            stop=stop / scale if known else None,
            decode_start=start / scale if known else None,
            decode_stop=stop / scale if known else None,
        )
