"""Tells a broken machine from a bad film: does the same ffmpeg encode a tiny generated source here?

A failed encode counts against a film only where this test passes.
"""

import time
from pathlib import Path

import msgspec

from videoflix.media.ffmpeg import FFmpegMissing, base_command
from videoflix.platform.processes import Limits, ProcessFailed, run
from videoflix.settings import settings

PASSED_SECONDS, FAILED_SECONDS = 60.0, 5.0
LIMITS = Limits(wall_seconds=60, cpu_seconds=60, memory_bytes=12 << 30, file_bytes=64 << 20)


class Finding(msgspec.Struct, frozen=True):
    """What a test found, until when it is believed (monotonic seconds); no `fault`: it passed."""

    fault: str
    until: float


_findings: dict[str, Finding] = {}


async def encoder_fault(folder: Path) -> str:
    """What is wrong with this machine's encoders, in ffmpeg's words; empty when nothing is.

    Encodes half a second with the preset and encoders of films into `folder`, at most once a
    minute a process.
    """
    known = _findings.get(settings.x264_preset)
    if known is not None and time.monotonic() < known.until:
        return known.fault
    fault = await _test(folder)
    until = time.monotonic() + (FAILED_SECONDS if fault else PASSED_SECONDS)
    _findings[settings.x264_preset] = Finding(fault, until)
    return fault


def forget_findings() -> None:
    """Test again at the next question."""
    _findings.clear()


async def _test(folder: Path) -> str:
    file = folder / "selftest.mp4"
    try:
        command = [
            *base_command(),
            "-f", "lavfi", "-i", "testsrc2=s=128x72:r=10:d=0.5",
            "-f", "lavfi", "-i", "sine=d=0.5",
            "-c:v", "libx264", "-preset", settings.x264_preset, "-crf", str(settings.x264_crf),
            "-c:a", "aac", "-b:a", "128k",
            "-f", "mp4", f"file:{file}",
        ]  # fmt: skip
        await run(command, LIMITS, lambda _: None, writes=[folder])
        return "" if file.stat().st_size else "It wrote an empty file."
    except ProcessFailed as error:
        return error.log.splitlines()[-1] if error.log else str(error)
    except (FFmpegMissing, OSError) as error:
        return str(error)
