"""What a transcoder needs of its machine: an encoder that works, scratch space, the storage."""

import asyncio
import resource
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from videoflix.media.ffmpeg import find_ffmpeg
from videoflix.media.selftest import encoder_fault
from videoflix.platform.queue import self_test
from videoflix.platform.scratch import scratch_folder
from videoflix.platform.storage import media_storage

MIB = 1024 * 1024
# Below this a chunk of a film in high resolution may not fit.
SCRATCH_MIN_BYTES = 256 * MIB
OPEN_FILES_MIN = 256
FILE_MIN_BYTES = 1 << 30


class Unfit(Exception):
    """This machine cannot encode; the message says why, and what to do."""


@self_test("transcode", "FFmpeg")
async def check_encoder() -> None:
    """Encode half a second as chunks are. Raises Unfit or FFmpegMissing."""
    await asyncio.to_thread(find_ffmpeg)
    folder = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=folder) as name:
        if fault := await encoder_fault(Path(name)):
            raise Unfit(f"{fault} Check FFMPEG_PATH, X264_PRESET and X264_CRF.")


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
