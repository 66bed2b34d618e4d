"""Probe an untrusted file, in a child process with limits on time and memory.

Usage: `python -m videoflix.media.probe.child FILE MAX_PIXELS`. Prints a ProbeResult or a
ProbeRejection as JSON. PyAV provides FFmpeg's demuxers; the timestamps of all packets are read
once, and only the first frames are decoded.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videoflix.media.probe.clock import StreamClock, jumps, read_clocks
from videoflix.media.probe.completeness import missing_bytes
from videoflix.media.probe.grid import choose_rate, choose_shift
from videoflix.media.probe.index import read_index
from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import (
    DEMUXERS,
    ProbeRejection,
    ProbeResult,
    encode_result,
)
from videoflix.media.probe.tracks import (
    audio_tracks,
    chapter_marks,
    choose_video,
    subtitle_tracks,
)

FIRST_FRAMES = 12  # enough to detect interlacing after a static title
SEEK_POINT_SPACING = 1  # seconds
# Demuxers that seek by presentation time. The ffmpeg command seeks 3/23 s earlier if frames are
# reordered (B-frames), so that much is added to reach the intended key frame.
INDEXED = {"mov", "matroska", "flv", "avi"}
SEEK_LEAD = 0.14
# MPEG streams join recordings by starting the clock again; in other formats a gap is a still.
JOINABLE = {"mpegts", "mpeg"}


def inspect(path: str, max_pixels: int) -> ProbeResult:
    """Probe a file. Raises SourceRejected."""
    with open_container(path) as container:
        indexed = read_index(container, path)
    with open_container(path) as container:
        clocks = read_clocks(container) if indexed is None else indexed
        stream = choose_video(container, clocks)
        _refuse_size(stream, max_pixels)
        if stream.index not in clocks:
            raise SourceRejected("empty-film", "The file contains no frames.")
        about = _describe(container, stream)
        declared_rate = stream.guessed_rate or stream.average_rate or Fraction(0)
        audio_indexes = [track.index for track in container.streams.audio]
    decodable = frozenset(index for index in audio_indexes if _is_decodable(path, index))
    with open_container(path) as container:
        audio = audio_tracks(container, clocks, decodable)
        subtitles = subtitle_tracks(container)
        chapters = chapter_marks(container)
    index = about["video_index"]
    frames = _first_frames(path, index)
    picture, sounds = clocks[index], [clocks[track.index] for track in audio]
    times = _timing(picture, about["container"], declared_rate, frames[0])
    if frames[0].format.has_palette:
        times["seek_points"] = ()  # no seeking: the palette may come with the first frame only
    formats = _formats(about["container"])
    return ProbeResult(
        **about,
        **times,
        interlaced=any(frame.interlaced_frame for frame in frames),
        rotation=frames[0].rotation,
        is_rgb=frames[0].format.is_rgb,
        transfer=int(frames[0].color_trc or 0),
        matrix=int(frames[0].colorspace or 0),
        audio=audio,
        subtitles=subtitles,
        chapters=chapters,
        seconds_of_all=clocks.seconds,
        clock_restarts=any(clock.restarts for clock in (picture, *sounds)),
        clock_jumps=not JOINABLE.isdisjoint(formats) and jumps(picture, sounds),
        missing_bytes=missing_bytes(Path(path), about["container"]),
    )


@contextmanager
def open_container(path: str) -> Iterator[InputContainer]:
    policy = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=policy) as container:
            yield container
    except (FFmpegError, MemoryError, UnicodeDecodeError) as error:
        raise SourceRejected("not-a-video", "We can't read this video file.") from error


def _refuse_size(stream: VideoStream, max_pixels: int) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 2 or height < 2:
        raise SourceRejected("not-a-video", "The video track has no size; the file is damaged.")
    if width * height > max_pixels:
        raise SourceRejected(
            "picture-too-large",
            f"The video has {width} x {height} pixels; at most {max_pixels:,} pixels are accepted.",
        )


def _describe(container: InputContainer, stream: VideoStream) -> dict[str, Any]:
    return {
        "container": container.format.name,
        "video_index": stream.index,
        "video_codec": stream.codec_context.name,
        "width": stream.codec_context.width,
        "height": stream.codec_context.height,
        "sample_aspect": stream.sample_aspect_ratio or Fraction(1),
        "declared": float((stream.duration or 0) * (stream.time_base or 0)),
        "declared_of_all": (container.duration or 0) / av.time_base,
    }


def _first_frames(path: str, index: int) -> list[VideoFrame]:
    """Decode the first frames; packets before them cannot be decoded. Raises SourceRejected."""
    with open_container(path) as container:
        frames: list[VideoFrame] = []
        with suppress(FFmpegError):  # damage further on
            for frame in islice(container.decode(container.streams[index]), FIRST_FRAMES):
                assert isinstance(frame, VideoFrame)  # noqa: S101 - of a video stream
                frames.append(frame)
    if not frames:
        raise SourceRejected("not-a-video", "None of the file's frames can be decoded.")
    return frames


def _is_decodable(path: str, index: int) -> bool:
    with suppress(SourceRejected), open_container(path) as container:
        return next(iter(container.decode(container.streams[index])), None) is not None
    return False


def _timing(
    picture: StreamClock, container: str, declared: Fraction, first: VideoFrame
) -> dict[str, Any]:
    """Compute start, end, rates and seek points of the picture."""
    base, ticks = picture.base, sorted(picture.ticks)
    origin = ticks[0] if first.pts is None else first.pts
    rate = choose_rate(ticks, base, declared)
    decodable = [tick for tick in ticks if tick >= origin] or [origin]
    return {
        "frame_rate": rate,
        "grid_shift": choose_shift(decodable, base, rate),
        "begin": ticks[0] * base,
        "origin": origin * base,
        "last": max(ticks[-1], origin) * base,
        "end": max(picture.end, ticks[-1], origin) * base,
        "seek_points": _seek_points(container, picture.keys, float(base)),
    }


def _seek_points(
    container: str, keys: list[tuple[int, int]], base: float
) -> tuple[tuple[float, float], ...]:
    """Compute the seek points from (pts, dts) of key frames; see ProbeResult."""
    indexed = not INDEXED.isdisjoint(_formats(container))
    dense = any((after[0] - key[0]) * base <= SEEK_LEAD for key, after in pairwise(keys))
    entries: list[tuple[float, float]] = []
    for pts, dts in keys:
        time = pts * base
        if not entries or time - entries[-1][0] >= SEEK_POINT_SPACING:
            sought = time + SEEK_LEAD if indexed else dts * base
            # If key frames are that close, the seek may end at a later one than intended.
            entries.append((sought if indexed and dense else time, sought))
    return tuple(entries)


def _formats(container: str) -> set[str]:
    return set(container.split(","))


def main(path: str, max_pixels: str) -> None:
    try:
        answer: ProbeResult | ProbeRejection = inspect(path, int(max_pixels))
    except SourceRejected as refusal:
        answer = ProbeRejection(refusal.code, refusal.reason)
    sys.stdout.buffer.write(encode_result(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
