"""What a transcoder needs of its machine: an encoder that works, scratch space, the storage."""

import asyncio
import resource
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from videoflix.media.ffmpeg import base_command, find_ffmpeg
from videoflix.platform.processes import Limits, ProcessFailed, run
from videoflix.platform.queue import self_test
from videoflix.platform.scratch import scratch_folder
from videoflix.platform.storage import media_storage
from videoflix.settings import settings

MIB = 1024 * 1024
LIMITS = Limits(wall_seconds=45, cpu_seconds=30, memory_bytes=4 << 30, file_bytes=64 * MIB)
# Below this a chunk of a film in high resolution may not fit.
SCRATCH_MIN_BYTES = 256 * MIB
OPEN_FILES_MIN = 256
FILE_MIN_BYTES = 1 << 30


class Unfit(Exception):
    """This machine cannot encode; the message says why, and what to do."""


@self_test("transcode", "FFmpeg")
async def check_encoder() -> None:
    """Encode a fifth of a second as chunks are. Raises Unfit or FFmpegMissing."""
    await asyncio.to_thread(find_ffmpeg)
    folder = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=folder) as name:
        output = Path(name) / "test.mp4"
        command = [
            *base_command(),
            "-f", "lavfi", "-i", "color=gray:size=64x64:rate=25:duration=0.2",
            "-f", "lavfi", "-i", "anullsrc=sample_rate=48000",
            "-c:v", "libx264", "-preset", settings.x264_preset, "-crf", str(settings.x264_crf),
            "-c:a", "aac", "-t", "0.2", "-f", "mp4", f"file:{output}",
        ]  # fmt: skip
        try:
            await run(command, LIMITS, writes=[Path(name)])
        except ProcessFailed as error:
            raise Unfit(f"{error} Check FFMPEG_PATH, X264_PRESET and X264_CRF.") from error
        if not output.exists() or not output.stat().st_size:
            raise Unfit(f"{command[0]} wrote nothing. Check FFMPEG_PATH.")


@self_test("transcode", "Scratch space")
async def check_scratch() -> None:
    """Raises Unfit or OSError."""
    await asyncio.to_thread(_check_scratch)


def _check_scratch() -> None:
    folder = scratch_folder()
    with TemporaryDirectory(dir=folder) as name:
        (Path(name) / "test").write_bytes(bytes(64 * 1024))
    free = shutil.disk_usage(folder).free
    if free < SCRATCH_MIN_BYTES:
        raise Unfit(
            f"{free // MIB} MiB free in {folder}, at least {SCRATCH_MIN_BYTES // MIB} are needed."
            " Free some, or move VIDEOFLIX_HOME to a larger disk."
        )
    for name, kind, least in (
        ("open files", resource.RLIMIT_NOFILE, OPEN_FILES_MIN),
        ("the size of a file", resource.RLIMIT_FSIZE, FILE_MIN_BYTES),
    ):
        soft = resource.getrlimit(kind)[0]
        if soft != resource.RLIM_INFINITY and soft < least:
            raise Unfit(f"The limit on {name} is {soft}, at least {least} is needed (ulimit).")


@self_test("transcode", "Storage")
async def check_storage() -> None:
    """Raises StorageFull or StorageUnavailable."""
    await media_storage().check_writable()
