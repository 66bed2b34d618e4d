"""Choose which of a file's tracks are the film, and list its chapters."""

from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from videoflix.media.probe.clock import Clocks
from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import AudioTrack, ChapterMark, SubtitleTrack
from videoflix.platform.languages import language_tag

UNKNOWN_LANGUAGE = "und"
SUBTITLES_MAX = 40
CHAPTERS_READ = 2_000
# Names of FFmpeg's decoders of subtitles as text; others are of pictures.
TEXT_CODECS = frozenset({"ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})
# Audio beside the film's own.
SECONDARY = (
    Disposition.comment
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.karaoke
    | Disposition.clean_effects
    | Disposition.non_diegetic
)
DESCRIBED = Disposition.visual_impaired | Disposition.descriptions


def choose_video(container: InputContainer, clocks: Clocks) -> VideoStream:
    """Choose the film's picture: what moves, before a default flag, before size.

    Cover art is never chosen. Raises SourceRejected.
    """
    tracks = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not tracks and container.streams:
        raise SourceRejected("no-picture", "The file has audio but no video.")
    if not tracks:
        raise SourceRejected("not-a-video", "We can't read this video file.")
    readable = [track for track in tracks if track.codec_context]
    if not readable:
        raise SourceRejected("codec-unknown", "The file's video codec is not supported.")

    def rank(track: VideoStream) -> tuple[bool, bool, int]:
        clock = clocks.get(track.index)
        moves = clock is not None and clock.count > 1
        pixels = track.codec_context.width * track.codec_context.height
        return moves, bool(track.disposition & Disposition.default), pixels

    return max(readable, key=rank)  # of equals, the first


def audio_tracks(
    container: InputContainer, clocks: Clocks, decodable: frozenset[int]
) -> tuple[AudioTrack, ...]:
    """List the decodable audio tracks, the one to play by default first."""
    streams = [s for s in container.streams.audio if s.index in decodable and s.index in clocks]
    streams.sort(key=lambda stream: (_is_secondary(stream), not _is_default(stream), stream.index))
    return tuple(_track(stream, clocks) for stream in streams)


def _track(stream: Stream, clocks: Clocks) -> AudioTrack:
    clock = clocks[stream.index]
    return AudioTrack(
        index=stream.index,
        begin=clock.begin_seconds or clock.base * 0,
        end=clock.end_seconds,
        language=language_tag(stream.language or ""),
        title=stream.metadata.get("title", "").strip()[:100],
        channels=getattr(stream.codec_context, "channels", 2) or 2,
        is_described=bool(stream.disposition & DESCRIBED),
        is_commentary=bool(stream.disposition & Disposition.comment),
    )


def subtitle_tracks(container: InputContainer) -> tuple[SubtitleTrack, ...]:
    """List the subtitles of text, one of each language: whole dialogue before forced lines."""
    streams = [s for s in container.streams.subtitles if s.codec_context.name in TEXT_CODECS]
    streams.sort(key=lambda stream: (_is_partial(stream), not _is_default(stream), stream.index))
    found: dict[str, SubtitleTrack] = {}
    for stream in streams:
        language = language_tag(stream.language or "") or UNKNOWN_LANGUAGE
        label = stream.metadata.get("title", "").strip()[:100]
        found.setdefault(language, SubtitleTrack(stream.index, language, label or language))
    return tuple(found.values())[:SUBTITLES_MAX]


def chapter_marks(container: InputContainer) -> tuple[ChapterMark, ...]:
    """List the chapters, at most CHAPTERS_READ."""
    return tuple(
        ChapterMark(
            title=str(found["metadata"].get("title", ""))[:1000],
            start=float(found["start"] * found["time_base"]),
            end=float(found["end"] * found["time_base"]),
        )
        for found in container.chapters()[:CHAPTERS_READ]
        if found["time_base"]
    )


def _is_partial(stream: Stream) -> int:
    """Subtitles for the hard of hearing come after the plain ones, lines of signs after those."""
    return 2 * bool(stream.disposition & Disposition.forced) + bool(
        stream.disposition & Disposition.hearing_impaired
    )


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _is_secondary(stream: Stream) -> bool:
    return bool(stream.disposition & SECONDARY)
