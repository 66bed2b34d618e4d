"""Storyboards: a sheet of thumbnails, and the WebVTT file that maps times to them.

Players show thumbnails while the viewer seeks.
"""

import math
from pathlib import Path

import msgspec

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.filters import JPEG
from videoflix.media.plan import EncodePlan

# Bounds the size of the sheet for browsers; long videos get a thumbnail every few seconds.
TILES_MAX = 100
INTERVALS = (1, 2, 5, 10, 15, 30, 60, 120, 300)
TILE_WIDTH, TILE_HEIGHT = 320, 180
# From this interval in seconds on, decoding key frames is enough.
KEY_FRAMES_FROM = 10


class Layout(msgspec.Struct, frozen=True):
    """`count` thumbnails of `width` x `height` pixels, one every `seconds`, row by row."""

    seconds: int
    count: int
    columns: int
    width: int
    height: int
    duration: float


def layout_of(plan: EncodePlan) -> Layout:
    """Lay out a nearly square sheet."""
    seconds = next(
        (step for step in INTERVALS if plan.duration <= step * TILES_MAX),
        math.ceil(plan.duration / TILES_MAX),
    )
    count = max(1, math.ceil(plan.duration / seconds))
    top = plan.rungs[0]
    scale = min(TILE_WIDTH / top.width, TILE_HEIGHT / top.height)
    return Layout(
        seconds=seconds,
        count=count,
        columns=math.ceil(math.sqrt(count)),
        width=max(2, round(top.width * scale)),
        height=max(2, round(top.height * scale)),
        duration=plan.duration,
    )


async def make_sprite(video: Path, layout: Layout, folder: Path) -> Path:
    """Write `folder/sprite.jpg`. Raises ProcessFailed or StorageFull."""
    file = folder / "sprite.jpg"
    rows = math.ceil(layout.count / layout.columns)
    steps = [
        # The frame shown at the start of each interval.
        f"fps=1/{layout.seconds}:start_time=0:round=up",
        f"scale={layout.width}:{layout.height}",
        f"tpad=stop_mode=clone:stop={layout.count}",
        f"tile={layout.columns}x{rows}:nb_frames={layout.count}",
        JPEG,
    ]
    skipped = ["-skip_frame", "nokey"] if layout.seconds >= KEY_FRAMES_FROM else []
    options = [
        "-map", "0:v:0", "-frames:v", "1",
        "-vf", ",".join(steps),
        "-q:v", "5", "-f", "image2", "-update", "1",
        f"file:{file}",
    ]  # fmt: skip
    await run_ffmpeg([Input(video, skipped)], options, folder, layout.duration)
    return file


def storyboard_vtt(layout: Layout, sprite: str) -> str:
    """Format the WebVTT file (media fragments `#xywh`); `sprite` is the URL of the sheet."""
    cues = []
    for number in range(layout.count):
        start = number * layout.seconds
        end = max(min(start + layout.seconds, layout.duration), start + 0.001)
        row, column = divmod(number, layout.columns)
        place = f"{column * layout.width},{row * layout.height},{layout.width},{layout.height}"
        cues.append(f"{_clock(start)} --> {_clock(end)}\n{sprite}#xywh={place}")
    return "WEBVTT\n\n" + "\n\n".join(cues) + "\n"


def _clock(seconds: float) -> str:
    """Format a time as MM:SS.mmm, with hours only if there are any, for older players."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    clock = f"{minute:02}:{second:02}.{thousandths:03}"
    return f"{hours:02}:{clock}" if hours else clock
