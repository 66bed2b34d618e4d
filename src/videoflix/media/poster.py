"""Choose the poster among frames of the video."""

from fractions import Fraction
from pathlib import Path

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.filters import still
from videoflix.media.ladder import even
from videoflix.media.plan import EncodePlan
from videoflix.platform.process.run import LaunchFailed, ProcessFailed, ProcessKilled

CANDIDATES = 8
FIRST, LAST = 0.05, 0.95  # share of the duration; the rest is often black or credits
WIDEST = 1280


class PosterFailed(Exception):
    """No frame could be decoded."""


async def make_poster(source: Path, plan: EncodePlan, folder: Path) -> Path:
    """Write `folder/poster.jpg`, at most 1280 pixels wide.

    Picks the most detailed of CANDIDATES frames spread over the video: at a fixed quality, the
    largest JPEG. Black, blurred and faded frames are small. Only key frames are considered, which
    cost one decoded frame each. Raises PosterFailed, LaunchFailed or ProcessKilled.
    """
    found = [
        candidate
        for number in range(CANDIDATES)
        if (candidate := await _frame(source, plan, folder, number))
    ]
    if not found:
        raise PosterFailed
    best = max(found, key=lambda candidate: candidate.stat().st_size)
    return best.rename(folder / "poster.jpg")


async def _frame(source: Path, plan: EncodePlan, folder: Path, number: int) -> Path | None:
    share = FIRST + (LAST - FIRST) * number / (CANDIDATES - 1)
    time = Fraction(plan.origin) + Fraction(round(plan.duration * share * 1000), 1000)
    file = folder / f"candidate-{number}.jpg"
    top = plan.rungs[0]
    width = min(WIDEST, top.width)
    height = even(width * top.height / top.width)
    # The next key frame, at a time in the source's own timestamps.
    turning = ["-noautorotate"] if plan.turned else []
    seek = [*turning, "-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{float(time):.6f}"]
    options = [
        "-map", plan.video_stream, "-frames:v", "1",
        "-vf", still(plan, width, height),
        "-q:v", "4", "-f", "image2", "-update", "1",
        f"file:{file}",
    ]  # fmt: skip
    try:
        await run_ffmpeg([Input(source, seek)], options, folder, 10)
    except (LaunchFailed, ProcessKilled):
        raise  # says nothing about the file
    except ProcessFailed:
        return None  # damaged here; other candidates may work
    return file if file.exists() and file.stat().st_size else None
