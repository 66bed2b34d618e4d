"""Give joined recordings one continuous clock.

Where MPEG streams were joined, the timestamps start again or jump. FFmpeg closes such gaps when it
copies the packets without `-copyts`. It takes seconds, so every job makes its own copy.
"""

from pathlib import Path

import msgspec

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.probe.source import ClockBroken

# Formats in which FFmpeg expects the clock to start again (AVFMT_TS_DISCONT).
JOINABLE = {"mpegts": "mpegts", "mpeg": "matroska"}


class RemuxSpec(msgspec.Struct, frozen=True):
    """The streams to copy, by their index in the source, and the copy's format."""

    streams: tuple[int, ...]
    format: str


def remux_spec(broken: ClockBroken) -> RemuxSpec | None:
    """Return how to remux a source; None if that does not help."""
    copied = JOINABLE.get(broken.container)
    return RemuxSpec(broken.streams, copied) if copied else None


async def remux(source: Path, spec: RemuxSpec, folder: Path, seconds: float) -> Path:
    """Write `folder/remuxed` with the streams of a source of that length, in the order given.

    Raises ProcessFailed or StorageFull.
    """
    file = folder / "remuxed"
    options = [
        *(option for index in spec.streams for option in ("-map", f"0:{index}")),
        "-c", "copy", "-map_metadata", "-1",
        "-f", spec.format, f"file:{file}",
    ]  # fmt: skip
    await run_ffmpeg([Input(source)], options, folder, seconds)
    return file
