"""The plan of a film: its ladder, and the grid of frames, segments and chunks.

Everything that is encoded later follows the plan to the frame, so chunks made on different
machines fit together without a gap.
"""

from fractions import Fraction

import msgspec

from videoflix.media.ladder import Rung, make_ladder
from videoflix.media.probe import Source

SEGMENT_SECONDS = 4
SEGMENTS_A_CHUNK = 3
TIMESCALE_AT_LEAST = 10_000


class Span(msgspec.Struct, frozen=True):
    """The frames of a chunk, counted from the film's first one.

    `entry` is the decode time, in seconds of the source's clock, of the key frame that decoding
    begins at; None for the start of the file.
    """

    index: int
    first_frame: int
    frame_count: int
    entry: float | None


class Plan(msgspec.Struct, frozen=True):
    """What the inspection decided; stored as JSON with the asset.

    `origin` is the time stamp of the first picture in the source, in seconds as "num/den"; all
    tracks count from there.
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
    hdr: bool

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
    )


def _spans(source: Source, frame_rate: Fraction, segment_frames: int) -> tuple[Span, ...]:
    """Chunks on the segment grid; the first is one segment, so that the film starts early.

    A rest of less than half a segment joins the chunk before it.
    """
    starts = [0]
    size = segment_frames
    while source.frame_count - (starts[-1] + size) >= max(1, segment_frames // 2):
        starts.append(starts[-1] + size)
        size = segment_frames * SEGMENTS_A_CHUNK
    ends = [*starts[1:], source.frame_count]
    origin = Fraction(source.origin)
    return tuple(
        Span(index, start, end - start, _entry(source, origin + start / frame_rate, 1 / frame_rate))
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def _entry(source: Source, begin: Fraction, frame: Fraction) -> float | None:
    """The last key frame that is shown a whole frame before `begin`.

    A container without an index is searched by decode times, so a seek must name a key frame's
    own: one just behind it would begin at the next.
    """
    earlier = [dts for pts, dts in source.entries if pts <= begin - frame]
    return earlier[-1] if len(earlier) > 1 else None
