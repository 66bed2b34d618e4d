"""The picture as ffmpeg shows it: cropped and turned as the container says."""

from fractions import Fraction
from pathlib import Path

import msgspec

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import ffmpeg_output
from videoflix.media.probe.result import ProbeResult
from videoflix.platform.process.run import LaunchFailed, ProcessFailed, ProcessKilled

QUARTER = 90
# Players would turn the encoded picture again by the angle in its side data.
FORGET_ANGLE = "sidedata=mode=delete:type=DISPLAYMATRIX"
TURNS = {0: "null", 1: "transpose=cclock", 2: "hflip,vflip", 3: "transpose=clock"}


class ShownPicture(msgspec.Struct, frozen=True):
    """The first frame, before its pixels are made square.

    `turned` is a filter for angles that ffmpeg would not turn by quarters; the frame is then
    decoded without its own turning.
    """

    width: int
    height: int
    sample_aspect: Fraction
    turned: str = ""


async def shown_picture(path: Path, result: ProbeResult) -> ShownPicture:
    """Decode one frame with ffmpeg, which obeys cropping that PyAV does not know.

    Raises LaunchFailed or ProcessKilled. If ffmpeg cannot decode it, the size is the coded one.
    """
    turned = _turned(result.rotation)
    source = Input(path, ["-noautorotate"] if turned else [])
    options = ["-map", f"0:{result.video_index}", "-frames:v", "1"]
    options += ["-vf", turned] if turned else []
    try:
        lines = (await ffmpeg_output(source, [*options, "-f", "framecrc", "pipe:1"])).splitlines()
    except (LaunchFailed, ProcessKilled):
        raise  # says nothing about the file
    except ProcessFailed:
        lines = []
    values = dict(line.removeprefix("#").split(" 0: ", 1) for line in lines if " 0: " in line)
    width, _, height = values.get("dimensions", "").partition("x")
    if not width.isdigit() or not height.isdigit():
        return _coded(result, turned)
    aspect = Fraction(values.get("sar", "1")) or Fraction(1)
    return ShownPicture(int(width), int(height), aspect, turned)


def _turned(rotation: int) -> str:
    """The filter for the nearest quarter turn; empty for whole quarters, which ffmpeg turns."""
    if rotation % QUARTER == 0:
        return ""
    return f"{TURNS[round(rotation / QUARTER) % 4]},{FORGET_ANGLE}"


def _coded(result: ProbeResult, turned: str) -> ShownPicture:
    size = (result.width, result.height, result.sample_aspect)
    if round(result.rotation / QUARTER) % 2:
        size = (result.height, result.width, 1 / result.sample_aspect)
    return ShownPicture(*size, turned)
