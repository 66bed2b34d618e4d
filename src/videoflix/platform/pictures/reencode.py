"""Re-encode untrusted pictures in a sandboxed child process."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from videoflix.platform.pictures.exit_codes import NO_PICTURE, TOO_LARGE
from videoflix.platform.process.run import Limits, ProcessFailed, run
from videoflix.platform.process.scratch import scratch_folder

CHILD = "videoflix.platform.pictures.picture_child"
PIXELS_MAX = 40_000_000
LIMITS = Limits(wall_seconds=30, cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)
SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}
# Brands of a file whose picture is AV1 (AV1 Image File Format, 6.2).
AVIF_BRANDS = (b"ftypavif", b"ftypavis")


class PictureRejected(Exception):
    """The data is not a picture of a known format, or it is too large."""


class Picture(msgspec.Struct, frozen=True):
    """An encoded picture and its size in pixels."""

    width: int
    height: int
    data: bytes


async def reencode(data: bytes, targets: Sequence[str]) -> list[Picture]:
    """Decode a picture, and encode it for each target (see picture_child), without its metadata.

    Raises PictureRejected.
    """
    kind = detect_format(data)
    if not kind:
        raise PictureRejected
    scratch = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=scratch) as folder:
        file = Path(folder) / "picture"
        await asyncio.to_thread(file.write_bytes, data)
        command = [sys.executable, "-I", "-m", CHILD, str(file), kind, str(PIXELS_MAX), *targets]
        try:
            output = await run(command, LIMITS, reads=[file])
        except ProcessFailed as error:
            # Negative: killed by a resource limit. A small file that exceeds one is an attack.
            if error.returncode in {NO_PICTURE, TOO_LARGE} or error.returncode < 0:
                raise PictureRejected from error
            raise
    return msgspec.json.decode(output, type=list[Picture])


def detect_format(data: bytes) -> str:
    """Detect the format by its signature: jpeg, png, webp, avif, or "" if unknown."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:12] in AVIF_BRANDS:
        return "avif"
    return next((kind for start, kind in SIGNATURES.items() if data.startswith(start)), "")
