"""Probe an untrusted file, in a child process with limits on time and memory.

Usage: `python -m videoflix.media.probe.child FILE MAX_PIXELS`. Prints a ProbeResult or a
ProbeRejection as JSON. PyAV provides FFmpeg's demuxers; the timestamps of all packets are read
once, and only the first frames are decoded.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice, pairwise
from math import ceil
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import DEMUXERS, ProbeRejection, ProbeResult, encode_result

ATTACHED_PICTURE = 0x0400  # AV_DISPOSITION_ATTACHED_PIC
FIRST_FRAMES = 12  # enough to detect interlacing after a static title
SEEK_POINT_SPACING = 1  # seconds
# Demuxers that seek by presentation time. The ffmpeg command seeks 3/23 s earlier if frames are
# reordered (B-frames), so that much is added to reach the intended key frame.
INDEXED = {"mov", "matroska", "flv", "avi"}
SEEK_LEAD = 0.14


def inspect(path: str, max_pixels: int) -> ProbeResult:
    """Probe a file. Raises SourceRejected."""
    with open_container(path) as container:
        stream = _video_track(container)
        _refuse_size(stream, max_pixels)
        about = _describe(container, stream)
        has_audio = bool(container.streams.audio)
    frames = _first_frames(path)
    with open_container(path) as container:
        times = _timing(container, _video_track(container), frames[0])
    if frames[0].format.has_palette:
        times["seek_points"] = ()  # no seeking: the palette may come with the first frame only
    return ProbeResult(
        **about,
        **times,
        interlaced=any(frame.interlaced_frame for frame in frames),
        rotation=frames[0].rotation,
        is_rgb=frames[0].format.is_rgb,
        transfer=int(frames[0].color_trc or 0),
        matrix=int(frames[0].colorspace or 0),
        has_audio=has_audio and _has_decodable_audio(path),
    )


@contextmanager
def open_container(path: str) -> Iterator[InputContainer]:
    policy = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=policy) as container:
            yield container
    except (FFmpegError, MemoryError, UnicodeDecodeError) as error:
        raise SourceRejected("not-a-video", "We can't read this video file.") from error


def _video_track(container: InputContainer) -> VideoStream:
    tracks = [s for s in container.streams.video if not s.disposition & ATTACHED_PICTURE]
    if not tracks and container.streams:
        raise SourceRejected("no-picture", "The file has audio but no video.")
    if not tracks:
        raise SourceRejected("not-a-video", "We can't read this video file.")
    if not tracks[0].codec_context:
        raise SourceRejected("codec-unknown", "The file's video codec is not supported.")
    return tracks[0]


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
        "video_codec": stream.codec_context.name,
        "width": stream.codec_context.width,
        "height": stream.codec_context.height,
        "sample_aspect": stream.sample_aspect_ratio or Fraction(1),
        "declared_rate": stream.guessed_rate or stream.average_rate or Fraction(0),
        "declared": float((stream.duration or 0) * (stream.time_base or 0)),
        "declared_of_all": (container.duration or 0) / av.time_base,
    }


def _first_frames(path: str) -> list[VideoFrame]:
    """Decode the first frames; packets before them cannot be decoded. Raises SourceRejected."""
    with open_container(path) as container:
        frames: list[VideoFrame] = []
        with suppress(FFmpegError):  # damage further on
            for frame in islice(container.decode(_video_track(container)), FIRST_FRAMES):
                frames.append(frame)
    if not frames:
        raise SourceRejected("not-a-video", "None of the file's frames can be decoded.")
    return frames


def _has_decodable_audio(path: str) -> bool:
    with suppress(SourceRejected), open_container(path) as container:
        return next(iter(container.decode(audio=0)), None) is not None
    return False


def _timing(container: InputContainer, stream: VideoStream, first: VideoFrame) -> dict[str, Any]:
    """Read the timestamps of all packets without decoding: start, end, rates, seek points."""
    ticks: list[int] = []
    keys: list[tuple[int, int]] = []
    base = stream.time_base or Fraction(1)
    end, begin_of_all, end_of_all = 0, float("inf"), 0.0
    for packet in _packets(container):
        pts = packet.dts if packet.pts is None else packet.pts
        if pts is None or not packet.time_base:
            continue
        begin_of_all = min(begin_of_all, float(pts * packet.time_base))
        end_of_all = max(end_of_all, float((pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index != stream.index:
            continue
        ticks.append(pts)
        end = max(end, pts + (packet.duration or 0))
        if packet.is_keyframe:
            keys.append((pts, pts if packet.dts is None else packet.dts))
    if not ticks:
        raise SourceRejected("empty-film", "The file contains no frames.")
    ticks.sort()
    origin = ticks[0] if first.pts is None else first.pts
    return {
        "frame_count": len(ticks),
        "begin": ticks[0] * base,
        "origin": origin * base,
        "last": max(ticks[-1], origin) * base,
        "end": max(end, ticks[-1], origin) * base,
        "p90_frame_rate": _p90_frame_rate(ticks, float(base)),
        "seconds_of_all": end_of_all - begin_of_all,
        "seek_points": _seek_points(container, keys, float(base)),
    }


def _seek_points(
    container: InputContainer, keys: list[tuple[int, int]], base: float
) -> tuple[tuple[float, float], ...]:
    """Compute the seek points from (pts, dts) of key frames; see ProbeResult."""
    indexed = not INDEXED.isdisjoint(container.format.name.split(","))
    dense = any((after[0] - key[0]) * base <= SEEK_LEAD for key, after in pairwise(keys))
    entries: list[tuple[float, float]] = []
    for pts, dts in keys:
        time = pts * base
        if not entries or time - entries[-1][0] >= SEEK_POINT_SPACING:
            sought = time + SEEK_LEAD if indexed else dts * base
            # If key frames are that close, the seek may end at a later one than intended.
            entries.append((sought if indexed and dense else time, sought))
    return tuple(entries)


def _packets(container: InputContainer) -> Iterator["Packet[Any]"]:  # generic for mypy only
    """Iterate over the packets to be shown, up to the end or to unreadable damage."""
    with suppress(FFmpegError):
        for packet in container.demux():
            # Edit lists discard packets that are only needed to decode others.
            if packet.size and not packet.is_discard:
                yield packet


def _p90_frame_rate(ticks: list[int], base: float) -> float:
    """The 90th percentile of frames per second, counted over whole seconds."""
    seconds = (ticks[-1] - ticks[0]) * base
    if seconds < 2:
        return (len(ticks) - 1) / seconds if seconds else 0.0
    counts = sorted(Counter(int((tick - ticks[0]) * base) for tick in ticks).values())
    return float(counts[ceil(len(counts) * 0.9) - 1])


def main(path: str, max_pixels: str) -> None:
    try:
        answer: ProbeResult | ProbeRejection = inspect(path, int(max_pixels))
    except SourceRejected as refusal:
        answer = ProbeRejection(refusal.code, refusal.reason)
    sys.stdout.buffer.write(encode_result(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
