"""The plan of a film: its ladder, and the grid of frames, segments and chunks.

Everything that is encoded later follows the plan to the frame, so chunks made on different
machines fit together without a gap.
"""

from bisect import bisect_right
from fractions import Fraction
from math import ceil
from operator import itemgetter

import msgspec

from videoflix.media.ladder import Rung, make_ladder
from videoflix.media.probe.source import ProbedSource

SEGMENT_SECONDS = 4
CHUNK_SEGMENTS = (3, 4, 2)  # the most wanted length first
TIMESCALE_AT_LEAST = 10_000


class ChunkSpec(msgspec.Struct, frozen=True):
    """The frames of a chunk, counted from the film's first one.

    `entry` is the time to seek to for decoding them, in seconds of the source's clock; None for
    the start of the file.
    """

    index: int
    first_frame: int
    frame_count: int
    entry: float | None


class EncodePlan(msgspec.Struct, frozen=True):
    """What the inspection decided; stored as JSON with the asset.

    `origin` is the time stamp of the first picture in the source, in seconds as "num/den"; all
    tracks count from there. `hdr` and `matrix` are those of Source.
    """

    frame_rate_num: int
    frame_rate_den: int
    frame_count: int
    segment_frames: int
    rungs: tuple[Rung, ...]
    spans: tuple[ChunkSpec, ...]
    has_audio: bool
    origin: str
    interlaced: bool
    hdr: str
    matrix: str

    @property
    def frame_rate(self) -> Fraction:
        return Fraction(self.frame_rate_num, self.frame_rate_den)

    @property
    def duration(self) -> float:
        """Length of the film in seconds."""
        return float(self.frame_count / self.frame_rate)

    @property
    def timescale(self) -> int:
        """Ticks a second, so fine that a frame is a whole number of them."""
        return self.frame_rate_num * self._refinement

    @property
    def frame_ticks(self) -> int:
        return self.frame_rate_den * self._refinement

    @property
    def _refinement(self) -> int:
        return -(-TIMESCALE_AT_LEAST // self.frame_rate_num)


def make_plan(source: ProbedSource) -> EncodePlan:
    """Decide how a film is encoded."""
    frame_rate = Fraction(source.frame_rate_num, source.frame_rate_den)
    segment_frames = max(1, round(SEGMENT_SECONDS * frame_rate))
    return EncodePlan(
        frame_rate_num=source.frame_rate_num,
        frame_rate_den=source.frame_rate_den,
        frame_count=source.frame_count,
        segment_frames=segment_frames,
        rungs=make_ladder(source.width, source.height, frame_rate),
        spans=_chunk_specs(source, frame_rate, segment_frames),
        has_audio=source.has_audio,
        origin=source.origin,
        interlaced=source.interlaced,
        hdr=source.hdr,
        matrix=source.matrix,
    )


def _chunk_specs(
    source: ProbedSource, frame_rate: Fraction, segment_frames: int
) -> tuple[ChunkSpec, ...]:
    """Chunks on the segment grid; the first is one segment, so that the film starts early.

    A rest of less than half a segment joins the chunk before it.
    """
    spans: list[ChunkSpec] = []
    start, size, entry = 0, segment_frames, None
    while source.frame_count - (start + size) >= max(1, segment_frames // 2):
        spans.append(ChunkSpec(len(spans), start, size, entry))
        start += size
        entry, _ = _seek_point(source, start, frame_rate)
        size = _chunk_frames(source, start, frame_rate, segment_frames)
    spans.append(ChunkSpec(len(spans), start, source.frame_count - start, entry))
    return tuple(spans)


def _chunk_frames(
    source: ProbedSource, start: int, frame_rate: Fraction, segment_frames: int
) -> int:
    """Frames of the chunk that begins at `start`.

    What is decoded before a chunk's own frames is work done twice, so a chunk ends where the next
    needs little of it, and is at least as long as its own: where key frames are rare, chunks
    grow rather than decode the film from its beginning each.
    """

    def run_up(frame: int) -> Fraction:
        return _seek_point(source, frame, frame_rate)[1] * frame_rate / segment_frames

    fewest = ceil(run_up(start))
    choice = [segments for segments in CHUNK_SEGMENTS if segments >= fewest] or [fewest]
    best = min(choice, key=lambda segments: run_up(start + segments * segment_frames) / segments)
    return best * segment_frames


def _seek_point(
    source: ProbedSource, frame: int, frame_rate: Fraction
) -> tuple[float | None, Fraction]:
    """Where to begin decoding for a frame, and how many seconds before it that is."""
    origin = Fraction(source.origin)
    begin = origin + frame / frame_rate
    at = bisect_right(source.seek_points, begin, key=itemgetter(0)) - 1
    if at < 1:
        return None, begin - origin
    shown, sought = source.seek_points[at]
    return sought, begin - Fraction(shown)
