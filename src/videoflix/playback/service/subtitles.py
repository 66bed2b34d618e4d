"""Subtitles as HLS renditions: WebVTT in segments (RFC 8216bis, section 3.1.4).

A segment of subtitles is as long as some segments of the video: one while the video is encoded, so
that its playlist can grow with the others, and COMPLETE_STEP of a complete video.
"""

import math
from collections.abc import Iterator

from videoflix.catalog.service.subtitles import Subtitles, SubtitleVersion
from videoflix.media.schemas import Presentation
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.languages import language_name
from videoflix.platform.postgres.session import transaction
from videoflix.platform.webvtt import Cue, parse_cues, to_webvtt
from videoflix.playback.hls import Alternative, MediaSegment, media_playlist
from videoflix.playback.service.segments import ROUNDING_SECONDS, StreamNotFound

GROUP = "subtitles"
COMPLETE_STEP = 15
STEPS = frozenset({1, COMPLETE_STEP})
# The file with all cues, for players that do not read segments of subtitles (DASH).
WHOLE = "whole.vtt"
CACHE_BYTES = 16 << 20
# The film's clock starts at 0 in the video's segments as well.
CLOCK = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"

_segments: LruCache[tuple[object, ...], tuple[bytes, ...]] = LruCache(
    "subtitle segments", CACHE_BYTES, lambda found: sum(80 + len(text) for text in found)
)


def subtitle_alternatives(
    presentation: Presentation, tracks: list[SubtitleVersion], base: str
) -> list[Alternative]:
    """Describe the tracks for the multivariant playlist; `base` is the prefix of their URIs."""
    step = COMPLETE_STEP if presentation.complete else 1
    return [
        Alternative(
            kind="SUBTITLES",
            group=GROUP,
            uri=f"{base}subtitles/{track.language}/{track.digest}/{step}/index.m3u8",
            name=subtitle_name(track, number),
            language="" if track.language == "und" else track.language,
            autoselect=True,
        )
        for number, track in enumerate(tracks, 1)
    ]


def subtitle_playlist(presentation: Presentation, step: int) -> str:
    """The media playlist of any subtitle track; it ends with those of the video.

    Raises StreamNotFound.
    """
    length = _length(presentation, step)
    duration = presentation.duration
    end = duration if presentation.complete else min(duration, presentation.common_duration)
    segments = list(_until(end, length, duration))
    return media_playlist(segments, target=length, complete=presentation.complete)


async def subtitle_segment(
    presentation: Presentation, language: str, digest: str, step: int, number: int
) -> bytes:
    """A segment of a track as WebVTT; `digest` only tells caches apart. Raises StreamNotFound."""
    length = _length(presentation, step)
    if number >= math.ceil(presentation.duration / length):
        raise StreamNotFound
    key = (presentation.video_id, language, digest, length)
    segments = _segments.get(key)
    if segments is None:
        segments = await _read(presentation, language, length)
        if sum(map(len, segments)) < CACHE_BYTES // 4:
            _segments[key] = segments
    return segments[number]


async def whole_subtitles(presentation: Presentation, language: str, digest: str) -> bytes:
    """All cues of a track as WebVTT; see subtitle_segment. Raises StreamNotFound."""
    key = (presentation.video_id, language, digest, WHOLE)
    found = _segments.get(key)
    if found is None:
        found = ((await _text(presentation, language)).encode(),)
        if len(found[0]) < CACHE_BYTES // 4:
            _segments[key] = found
    return found[0]


async def _read(presentation: Presentation, language: str, length: float) -> tuple[bytes, ...]:
    cues = parse_cues((await _text(presentation, language)).encode())
    return split(cues, length, math.ceil(presentation.duration / length))


async def _text(presentation: Presentation, language: str) -> str:
    async with transaction() as session:
        text = await Subtitles(session).text_of(presentation.video_id, language)
    if text is None:
        raise StreamNotFound
    return text


def split(cues: list[Cue], length: float, count: int) -> tuple[bytes, ...]:
    """Split cues into files of `length` seconds; a cue is in each file during which it is shown."""
    files: list[list[Cue]] = [[] for _ in range(count)]
    for cue in cues:
        last = min(count, math.ceil(cue.end / length))
        for number in range(int(cue.start / length), last):
            files[number].append(cue)
    return tuple(to_webvtt(found, CLOCK).encode() for found in files)


def _until(end: float, length: float, duration: float) -> Iterator[MediaSegment]:
    """The segments before `end`; the last one of the film may be shorter."""
    for number in range(math.ceil(duration / length)):
        begin, stop = number * length, min(duration, (number + 1) * length)
        if stop > end + ROUNDING_SECONDS:
            return
        yield MediaSegment(f"{number:05}.vtt", "", stop - begin, 0)


def _length(presentation: Presentation, step: int) -> float:
    if step not in STEPS:
        raise StreamNotFound
    return presentation.segment_seconds * step


def subtitle_name(track: SubtitleVersion, number: int) -> str:
    if track.label != track.language:
        return track.label
    return f"Subtitles {number}" if track.language == "und" else language_name(track.language)
