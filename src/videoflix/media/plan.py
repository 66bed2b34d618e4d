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
from videoflix.media.probe import Source

SEGMENT_SECONDS = 4
SEGMENTS_A_CHUNK = 3
TIMESCALE_AT_LEAST = 10_000


class Span(msgspec.Struct, frozen=True):
    """The frames of a chunk, counted from the film's first one.

    `entry` is where decoding begins: the decode time of a key frame, in seconds of the source's
    clock; None for the start of the file.
    """

    index: int
    first_frame: int
    frame_count: int
    entry: float | None


class Plan(msgspec.Struct, frozen=True):
    """What the inspection decided; stored as JSON with the asset.

    `origin` is the time stamp of the first picture in the source, in seconds as "num/den"; all
    tracks count from there. `hdr` and `matrix` are those of Source.
    """

    frame_rate_num: int
    frame_rate_den: int
    frame_count: int
    segment_frames: int
    rungs: tuple[Rung, ...]
    spans: tuple[Span, ...]
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


def make_plan(source: Source) -> Plan:
    """Decide how a film is encoded."""
    frame_rate = Fraction(source.frame_rate_num, source.frame_rate_den)
    segment_frames = max(1, round(SEGMENT_SECONDS * frame_rate))
    return Plan(
        frame_rate_num=source.frame_rate_num,
        frame_rate_den=source.frame_rate_den,
        frame_count=source.frame_count,
        segment_frames=segment_frames,
        rungs=make_ladder(source.width, source.height, frame_rate),
        spans=_spans(source, frame_rate, segment_frames),
        has_audio=source.has_audio,
        origin=source.origin,
        interlaced=source.interlaced,
        hdr=source.hdr,
        matrix=source.matrix,
    )


def _spans(source: Source, frame_rate: Fraction, segment_frames: int) -> tuple[Span, ...]:
    """Chunks on the segment grid; the first is one segment, so that the film starts early.

    A rest of less than half a segment joins the chunk before it.
    """
    spans: list[Span] = []
    start, size, entry = 0, segment_frames, None
    while source.frame_count - (start + size) >= max(1, segment_frames // 2):
        spans.append(Span(len(spans), start, size, entry))
        start += size
        entry, run_up = _entry(source, start, frame_rate)
        # As long as the run-up at least: with few key frames, chunks grow rather than each
        # decode the film from its beginning.
        segments = max(SEGMENTS_A_CHUNK, ceil(run_up * frame_rate / segment_frames))
        size = segments * segment_frames
    spans.append(Span(len(spans), start, source.frame_count - start, entry))
    return tuple(spans)


def _entry(source: Source, frame: int, frame_rate: Fraction) -> tuple[float | None, Fraction]:
    """Where to begin decoding for a frame, and how many seconds before it that is.

    It is the last key frame that is shown a whole frame earlier. A container without an index
    is searched by decode times, so the key frame's own is needed.
    """
    origin = Fraction(source.origin)
    begin = origin + frame / frame_rate
    latest = begin - 1 / frame_rate
    at = bisect_right(source.entries, latest, key=itemgetter(0)) - 1
    if at < 1:
        return None, begin - origin
    pts, dts = source.entries[at]
    return dts, begin - Fraction(pts)
