"""Pictures of categories: uploads are re-encoded before they are stored."""

import asyncio
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from videoflix.catalog.picture_exit_codes import NO_PICTURE, TOO_LARGE
from videoflix.platform.problems import BadRequest
from videoflix.platform.process.run import Limits, ProcessFailed, run
from videoflix.platform.process.scratch import scratch_folder

BYTES_MAX = 2 * 1024 * 1024
PIXELS_MAX = 40_000_000
LONGEST_SIDE = 1280
LIMITS = Limits(wall_seconds=30, cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)
SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}


class InvalidPicture(BadRequest):
    """The picture must be a JPEG or PNG file of at most 2 MiB and 40 megapixels."""

    slug: ClassVar[str] = "picture-refused"


async def reencode(data: bytes) -> bytes:
    """Re-encode a picture without its metadata. Raises InvalidPicture."""
    kind = detect_format(data)
    if not kind or len(data) > BYTES_MAX:
        raise InvalidPicture
    scratch = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=scratch) as folder:
        file = Path(folder) / "picture"
        await asyncio.to_thread(file.write_bytes, data)
        arguments = [str(file), kind, str(PIXELS_MAX), str(LONGEST_SIDE)]
        try:
            output = await run(
                [sys.executable, "-I", "-m", "videoflix.catalog.picture_child", *arguments],
                LIMITS,
                reads=[file],
            )
        except ProcessFailed as error:
            # Negative: killed by a resource limit. A small file that exceeds one is an attack.
            if error.returncode in {NO_PICTURE, TOO_LARGE} or error.returncode < 0:
                raise InvalidPicture from error
            raise
    return b64decode(output)


def detect_format(data: bytes) -> str:
    """Detect the format by its signature: "jpeg", "png", or "" if unknown."""
    return next((kind for start, kind in SIGNATURES.items() if data.startswith(start)), "")
