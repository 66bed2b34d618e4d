"""Animated previews: some moments of a video, without sound, for lists and cards."""

import asyncio
import logging
from pathlib import Path

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.platform.process.run import LaunchFailed, ProcessFailed, ProcessKilled

MOMENTS, MOMENT_SECONDS, FRAMES_PER_SECOND = 6, 0.75, 8
WIDTH, HEIGHT = 320, 320
BYTES_MAX = 300_000
# Of WebP, 0 to 100: the first one that fits is used.
QUALITIES = (55, 30, 10)

logger = logging.getLogger(__name__)


async def make_preview(video: Path, duration: float, folder: Path) -> Path | None:
    """Write `folder/preview.webp`, an animation of at most 320 pixels and BYTES_MAX.

    None if it cannot be made so small, or if this ffmpeg does not encode WebP. Raises LaunchFailed,
    ProcessKilled or StorageFull.
    """
    file = folder / "preview.webp"
    for quality in QUALITIES:
        try:
            await _encode(video, duration, quality, file)
        except (LaunchFailed, ProcessKilled):
            raise  # says nothing about the file
        except ProcessFailed as error:
            logger.warning("no animated preview: %s", error)
            return None
        if (await asyncio.to_thread(file.stat)).st_size <= BYTES_MAX:
            return file
    return None


async def _encode(video: Path, duration: float, quality: int, file: Path) -> None:
    count = max(1, min(MOMENTS, int(duration / MOMENT_SECONDS)))
    starts = [duration * (number + 0.5) / (count + 0.5) for number in range(count)]
    length = ["-t", str(MOMENT_SECONDS)]
    inputs = [Input(video, ["-ss", f"{start:.3f}", *length]) for start in starts]
    # WebP has the colours of BT.601.
    form = (
        f"fps={FRAMES_PER_SECOND},"
        f"scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=decrease:force_divisible_by=2"
        ":in_color_matrix=bt709:out_color_matrix=smpte170m:out_range=tv,format=yuv420p,setsar=1"
    )
    chains = [f"[{number}:v:0]{form}[m{number}]" for number in range(count)]
    joined = "".join(f"[m{number}]" for number in range(count))
    options = [
        "-filter_complex", ";".join([*chains, f"{joined}concat=n={count}[out]"]),
        "-map", "[out]",
        "-c:v", "libwebp_anim", "-quality", str(quality), "-loop", "0", "-f", "webp",
        f"file:{file}",
    ]  # fmt: skip
    await run_ffmpeg(inputs, options, file.parent, MOMENTS * MOMENT_SECONDS)
