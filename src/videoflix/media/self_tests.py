"""Self-tests of a transcoding worker: encoder, scratch space, storage.

They also tell a broken machine from a bad file: a failed encode counts against the file only if
the same ffmpeg can encode a tiny generated source.
"""

import asyncio
import resource
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from videoflix.media.ffmpeg import FFmpegMissing, base_command, find_ffmpeg
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.process.run import Limits, ProcessFailed, run
from videoflix.platform.process.scratch import scratch_folder
from videoflix.platform.queue import self_test
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

# How long a fault is cached; success is not, as it may have just ended.
FAULT_SECONDS = 5.0
LIMITS = Limits(wall_seconds=60, cpu_seconds=60, memory_bytes=12 << 30, file_bytes=64 << 20)
MIB = 1024 * 1024
# With less, a chunk in high resolution may not fit.
SCRATCH_MIN_BYTES = 256 * MIB
OPEN_FILES_MIN = 256
FILE_MIN_BYTES = 1 << 30


class SelfTestFailed(Exception):
    """This machine cannot encode; the message says why and how to fix it."""


# ffmpeg's error messages by preset.
_faults: TtlCache[str, str] = TtlCache("encoder faults", 10, FAULT_SECONDS)


@self_test("transcode", "FFmpeg")
async def check_encoder() -> None:
    """Encode a sample like a chunk. Raises SelfTestFailed or FFmpegMissing."""
    await asyncio.to_thread(find_ffmpeg)
    folder = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=folder) as name:
        if fault := await encoder_fault(Path(name)):
            raise SelfTestFailed(f"{fault} Check FFMPEG_PATH, X264_PRESET and X264_CRF.")


async def encoder_fault(folder: Path) -> str:
    """Encode a sample into `folder`; return ffmpeg's error message, or "" if it succeeds.

    The sample has half a second, and uses the preset and encoders of videos.
    """
    fault = _faults.get(settings.x264_preset)
    if fault is None:
        fault = await _encode_sample(folder)
        if fault:
            _faults[settings.x264_preset] = fault
    return fault


async def _encode_sample(folder: Path) -> str:
    file = folder / "sample.mp4"
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


@self_test("transcode", "Scratch space")
async def check_scratch() -> None:
    """Check that the scratch folder is writable and large enough, and the limits of the process.

    Raises SelfTestFailed or OSError.
    """
    await asyncio.to_thread(_check_scratch)


def _check_scratch() -> None:
    folder = scratch_folder()
    with TemporaryDirectory(dir=folder) as name:
        (Path(name) / "test").write_bytes(bytes(64 * 1024))
    free = shutil.disk_usage(folder).free
    if free < SCRATCH_MIN_BYTES:
        raise SelfTestFailed(
            f"{free // MIB} MiB free in {folder}, at least {SCRATCH_MIN_BYTES // MIB} are needed."
            " Free some space, or move VIDEOFLIX_HOME to a larger disk."
        )
    for name, kind, least in (
        ("open files", resource.RLIMIT_NOFILE, OPEN_FILES_MIN),
        ("the size of a file", resource.RLIMIT_FSIZE, FILE_MIN_BYTES),
    ):
        soft = resource.getrlimit(kind)[0]
        if soft != resource.RLIM_INFINITY and soft < least:
            raise SelfTestFailed(
                f"The limit on {name} is {soft}, but at least {least} is needed (ulimit)."
            )


@self_test("transcode", "Storage")
async def check_storage() -> None:
    """Write to the storage. Raises StorageFull or StorageUnavailable."""
    await media_storage().check_writable()
