"""Pictures of categories: what an editor sent is decoded and encoded again before it is stored."""

import asyncio
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

from videoflix.catalog.picture_child import NO_PICTURE, TOO_LARGE
from videoflix.platform.problems import BadInput
from videoflix.platform.process.run import Limits, ProcessFailed, run
from videoflix.platform.process.scratch import scratch_folder

BYTES_MAX = 2 * 1024 * 1024
PIXELS_MAX = 40_000_000
LONGEST_SIDE = 1280
LIMITS = Limits(wall_seconds=30, cpu_seconds=20, memory_bytes=2 << 30, file_bytes=1 << 20)
SIGNATURES = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}


class PictureRefused(BadInput):
    """A picture is a JPEG or PNG file of at most 2 MiB and 40 megapixels."""


async def encoded_again(data: bytes) -> bytes:
    """The same picture, without anything else that was in the file. Raises PictureRefused."""
    kind = format_of(data)
    if not kind or len(data) > BYTES_MAX:
        raise PictureRefused
    scratch = await asyncio.to_thread(scratch_folder)
    with TemporaryDirectory(dir=scratch) as folder:
        file = Path(folder) / "picture"
        await asyncio.to_thread(file.write_bytes, data)
        arguments = [str(file), kind, str(PIXELS_MAX), str(LONGEST_SIDE)]
        try:
            answer = await run(
                [sys.executable, "-I", "-m", "videoflix.catalog.picture_child", *arguments],
                LIMITS,
                reads=[file],
            )
        except ProcessFailed as error:
            # A negative code is a limit: a small file that takes so much is an attack.
            if error.returncode in {NO_PICTURE, TOO_LARGE} or error.returncode < 0:
                raise PictureRefused from error
            raise
    return b64decode(answer)


def format_of(data: bytes) -> str:
    """The format a picture's first bytes tell: jpeg, png, or nothing."""
    return next((kind for start, kind in SIGNATURES.items() if data.startswith(start)), "")
