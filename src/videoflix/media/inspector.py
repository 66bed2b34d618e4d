"""Looks into a file strangers sent, as a program of its own with limits on time and memory.

Usage: inspector.py FILE. Prints one line of JSON: `{"facts": {...}}` or `{"rejected": [code,
reason]}`. PyAV brings FFmpeg's demuxers; every packet's time of the picture track is read once,
only the first picture is decoded.
"""

import json
import sys
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

DEMUXERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac"
HDR_TRANSFERS = {16, 18}  # SMPTE 2084 (PQ) and ARIB STD-B67 (HLG), ITU-T H.273
ATTACHED_PICTURE = 0x0400  # AV_DISPOSITION_ATTACHED_PIC


class Refused(Exception):
    """Code and reason."""


def inspect(path: str) -> dict[str, Any]:
    try:
        with av.open(f"file:{path}", options=_policy()) as container:
            return _facts(container)
    except (FFmpegError, ValueError, UnicodeDecodeError) as error:
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
        "declared_seconds": _declared(container, stream),
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


def _declared(container: InputContainer, stream: VideoStream) -> float:
    """The length the file claims, in seconds; 0 when it claims none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _times(container: InputContainer, stream: VideoStream) -> dict[str, Any]:
    """First and last time stamp and number of the packets, without decoding any."""
    first, last, end, count = None, None, 0, 0
    try:
        for packet in container.demux(stream):
            time = packet.pts if packet.pts is not None else packet.dts
            if time is None or not packet.size:
                continue
            count += 1
            first = time if first is None else min(first, time)
            last = time if last is None else max(last, time)
            end = max(end, time + (packet.duration or 0))
    except FFmpegError:
        pass  # damaged further on: what was read decides whether it ends too early
    base = stream.time_base or Fraction(1, 1000)
    if first is None or last is None:
        raise Refused("empty-film", "The file holds no pictures.")
    return {
        "origin": str(first * base),
        "last": str(last * base),
        "end": str(max(end, last) * base),
        "packets": count,
    }


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
