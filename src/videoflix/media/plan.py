"""The encoding plan of a source: its ladder, and the grid of frames, segments and chunks.

Encoding follows the plan to the frame, so chunks from different machines join without gaps.
"""

from bisect import bisect_right
from fractions import Fraction
from math import ceil
from operator import itemgetter

import msgspec

from videoflix.media.chapters import ChapterSpec, film_chapters
from videoflix.media.ladder import Rung, make_ladder
from videoflix.media.probe.result import AudioTrack, SubtitleTrack
from videoflix.media.probe.source import ProbedSource
from videoflix.media.remux import RemuxSpec

SEGMENT_SECONDS = 4
CHUNK_SEGMENTS = (3, 4, 2)  # in order of preference
TIMESCALE_AT_LEAST = 10_000
AUDIO_TRACKS_MAX = 16
STEREO, SURROUND = 2, 6
# In bits per second, by channels.
AUDIO_BITRATES = {STEREO: 128_000, SURROUND: 384_000}


class AudioSpec(msgspec.Struct, frozen=True):
    """An audio rendition: the source's stream of this index, with 2 or 6 channels (5.1).

    `language` is a BCP 47 tag or empty, `label` what viewers choose it by, or empty.
    """

    index: int
    channels: int
    language: str = ""
    label: str = ""
    is_described: bool = False

    @property
    def bitrate(self) -> int:
        """In bits per second."""
        return AUDIO_BITRATES[self.channels]


class ChunkSpec(msgspec.Struct, frozen=True):
    """The frames of a chunk, counted from the first frame of the source.

    `entry` is the seek target for decoding them, in seconds of the source's timestamps; None to
    decode from the start of the file.
    """

    index: int
    first_frame: int
    frame_count: int
    entry: float | None


class EncodePlan(msgspec.Struct, frozen=True):
    """The result of inspection; stored as JSON with the asset.

    `origin` is the timestamp of the first frame, in seconds as "num/den"; all tracks start there.
    `interlaced`, `hdr` and `matrix` are those of ProbedSource, and so are `shown_*` and `turned`
    of its picture. The last picture stands from frame `picture_frames` on. With `remux`, tracks
    and times are those of the remuxed copy. Fields with defaults are unknown in plans of earlier
    versions, which chose the first tracks and encoded one track of audio.
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
    video_index: int | None = None
    audio: tuple[AudioSpec, ...] = ()
    audio_index: int | None = None
    subtitles: tuple[SubtitleTrack, ...] = ()
    chapters: tuple[ChapterSpec, ...] = ()
    shown_width: int = 0
    shown_height: int = 0
    turned: str = ""
    picture_frames: int = 0
    remux: RemuxSpec | None = None

    @property
    def video_stream(self) -> str:
        """The picture, as ffmpeg's stream specifier."""
        return "0:V:0" if self.video_index is None else f"0:{self.video_index}"

    @property
    def audio_renditions(self) -> tuple[AudioSpec, ...]:
        """All audio renditions, the default first; plans of earlier versions list only that."""
        if self.audio or not self.has_audio:
            return self.audio
        return (AudioSpec(-1 if self.audio_index is None else self.audio_index, STEREO),)

    def standing_frames(self, chunk: "ChunkSpec") -> int:
        """How many frames from the end of the picture to the end of a chunk show its last one."""
        end = chunk.first_frame + chunk.frame_count
        return max(0, end - (self.picture_frames or self.frame_count))

    @property
    def frame_rate(self) -> Fraction:
        return Fraction(self.frame_rate_num, self.frame_rate_den)

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return float(self.frame_count / self.frame_rate)

    @property
    def timescale(self) -> int:
        """Ticks per second, chosen so that a frame is a whole number of ticks."""
        return self.frame_rate_num * self._refinement

    @property
    def frame_ticks(self) -> int:
        return self.frame_rate_den * self._refinement

    @property
    def _refinement(self) -> int:
        return -(-TIMESCALE_AT_LEAST // self.frame_rate_num)


def plan_audio(tracks: tuple[AudioTrack, ...]) -> tuple[AudioSpec, ...]:
    """All tracks in stereo, then those with 5.1 channels or more in 5.1 as well."""
    stereo = [_audio_spec(track, STEREO) for track in tracks]
    surround = [_audio_spec(track, SURROUND) for track in tracks if track.channels >= SURROUND]
    return (*stereo, *surround)


def _audio_spec(track: AudioTrack, channels: int) -> AudioSpec:
    return AudioSpec(track.index, channels, track.language, track.label, track.is_described)


def make_plan(source: ProbedSource, remux: RemuxSpec | None = None) -> EncodePlan:
    """Plan the encoding of a source, which may have to be remuxed first."""
    frame_rate = Fraction(source.frame_rate_num, source.frame_rate_den)
    segment_frames = max(1, round(SEGMENT_SECONDS * frame_rate))
    return EncodePlan(
        frame_rate_num=source.frame_rate_num,
        frame_rate_den=source.frame_rate_den,
        frame_count=source.frame_count,
        segment_frames=segment_frames,
        rungs=make_ladder(source.width, source.height, frame_rate),
        spans=_chunk_specs(source, frame_rate, segment_frames),
        has_audio=bool(source.audio),
        origin=source.origin,
        interlaced=source.interlaced,
        hdr=source.hdr,
        matrix=source.matrix,
        video_index=source.video_index,
        # A remuxed copy has picture and audio only.
        subtitles=() if remux else source.subtitles,
        chapters=() if remux else _chapters(source, frame_rate),
        audio=plan_audio(source.audio[:AUDIO_TRACKS_MAX]),
        shown_width=source.shown.width,
        shown_height=source.shown.height,
        turned=source.shown.turned,
        picture_frames=source.picture_frames,
        remux=remux,
    )


def _chapters(source: ProbedSource, frame_rate: Fraction) -> tuple[ChapterSpec, ...]:
    duration = float(source.frame_count / frame_rate)
    return film_chapters(source.chapters, float(Fraction(source.origin)), duration)


def _chunk_specs(
    source: ProbedSource, frame_rate: Fraction, segment_frames: int
) -> tuple[ChunkSpec, ...]:
    """Split into chunks on the segment grid; the first is one segment, for an early start.

    A remainder of less than half a segment is added to the last chunk.
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
    """Choose the number of frames of the chunk that starts at frame `start`.

    Frames between the key frame and the chunk's own frames (the run-up) are decoded twice. So a
    chunk ends where the next one has a short run-up, and is at least as long as its own run-up:
    where key frames are rare, chunks grow.
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
    """The seek target for a frame, and how many seconds before the frame decoding starts."""
    origin = Fraction(source.origin)
    begin = origin + frame / frame_rate
    at = bisect_right(source.seek_points, begin, key=itemgetter(0)) - 1
    if at < 1:
        return None, begin - origin
    shown, sought = source.seek_points[at]
    return sought, begin - Fraction(shown)
