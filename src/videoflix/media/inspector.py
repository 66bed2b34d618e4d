"""Looks into a file strangers sent, as a program of its own with limits on time and memory.

Usage: inspector.py FILE. Prints one line of JSON: `{"facts": {...}}` or `{"rejected": [code,
reason]}`. PyAV brings FFmpeg's demuxers; every packet's time of the picture track is read once,
only the first picture is decoded.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

DEMUXERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac"
ATTACHED_PICTURE = 0x0400  # AV_DISPOSITION_ATTACHED_PIC


class Refused(Exception):
    """Code and reason."""


def inspect(path: str) -> dict[str, Any]:
    try:
        with av.open(f"file:{path}", options=_policy()) as container:
            return _facts(container)
    except (FFmpegError, ValueError, MemoryError) as error:
        raise Refused("not-a-video", "This is not a video file we can read.") from error


def _policy() -> dict[str, str]:
    return {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}


def _facts(container: InputContainer) -> dict[str, Any]:
    stream = _picture_track(container)
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 2 or height < 2:
        raise Refused("not-a-video", "The picture track has no size; the file is damaged.")
    sound = container.streams.audio[0] if container.streams.audio else None
    return {
        "container": container.format.name,
        "video_codec": stream.codec_context.name,
        "width": width,
        "height": height,
        "declared_seconds": float((stream.duration or 0) * (stream.time_base or 0)),
        "declared_of_all": (container.duration or 0) / av.time_base,
        "begin_of_all": (container.start_time or 0) / av.time_base,
        "frame_rate": str(stream.guessed_rate or stream.average_rate or 0),
        "has_audio": sound is not None and sound.codec_context.sample_rate > 0,
        **_times(container, stream),
        **_first_picture(container, stream),
    }


def _picture_track(container: InputContainer) -> VideoStream:
    tracks = [s for s in container.streams.video if not s.disposition & ATTACHED_PICTURE]
    if not tracks and container.streams:
        raise Refused("no-picture", "The file has sound but no moving picture.")
    if not tracks:
        raise Refused("not-a-video", "This is not a video file we can read.")
    return tracks[0]


def _times(container: InputContainer, stream: VideoStream) -> dict[str, Any]:
    """When the picture track begins and ends and where it can be entered; nothing is decoded.

    `end_of_all` is the end of the longest track; `entries` lists (pts, dts) of key frames that
    are at least a second apart.
    """
    times: list[Fraction] = []
    entries: list[tuple[Fraction, Fraction]] = []
    end, end_of_all = Fraction(0), Fraction(0)
    for packet in _packets(container):
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None or not packet.size or packet.time_base is None:
            continue
        time = pts * packet.time_base
        packet_end = time + (packet.duration or 0) * packet.time_base
        end_of_all = max(end_of_all, packet_end)
        if packet.stream.index != stream.index:
            continue
        times.append(time)
        end = max(end, packet_end)
        if packet.is_keyframe and (not entries or time - entries[-1][0] >= 1):
            dts = packet.dts if packet.dts is not None else pts
            entries.append((time, dts * packet.time_base))
    if not times:
        raise Refused("empty-film", "The file holds no pictures.")
    return {
        "origin": str(min(times)),
        "last": str(max(times)),
        "end": str(end),
        "end_of_all": float(max(end_of_all, *times[-1:])),
        "packets": len(times),
        "entries": [(float(pts), float(dts)) for pts, dts in entries],
    }


def _packets(container: InputContainer) -> Iterator[Any]:
    """Every packet up to the end, or to the first damage nothing can be read behind."""
    with suppress(FFmpegError):
        yield from container.demux()


def _first_picture(container: InputContainer, stream: VideoStream) -> dict[str, Any]:
    with suppress(FFmpegError):  # a stream that cannot go back is decoded from where it is
        container.seek(0, backward=True, any_frame=False)
    for frame in container.decode(stream):
        aspect = stream.codec_context.sample_aspect_ratio or Fraction(1)
        return {
            "rotation": frame.rotation,
            "interlaced": frame.interlaced_frame,
            "transfer": int(frame.color_trc or 0),
            "aspect": str(aspect if aspect > 0 else Fraction(1)),
        }
    raise Refused("not-a-video", "None of the pictures can be decoded.")


def main(path: str) -> None:
    try:
        answer: dict[str, Any] = {"facts": inspect(path)}
    except Refused as refusal:
        answer = {"rejected": refusal.args}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
