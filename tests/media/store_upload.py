"""A program for test_power_cut.py: stores what the application stores, and says so each time."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from videoflix.catalog.schemas import VideoCreate
from videoflix.media.multipart import receive_form
from videoflix.media.service import Media
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.media_storage import media_storage

FILM = b"film" * 3_000_000


async def body() -> AsyncIterator[bytes]:
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    for start in range(0, len(FILM), 65_536):
        yield FILM[start : start + 65_536]
    yield b"\r\n--b--\r\n"


async def main() -> None:
    storage = media_storage()
    form = await receive_form(body(), "multipart/form-data; boundary=b", storage, 1 << 30)
    assert form.file
    async with transaction() as session:
        await Media(session).accept(VideoCreate(title="t"), form.file, None)
    acknowledge(form.file.key)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.mp4"
        file.write_bytes(FILM)
        for name in ("1/720p.mp4", "1/480p.mp4", "2/poster.jpg"):
            key = f"{form.file.folder}/{name}"
            await storage.put(key, file)
            acknowledge(key)
    async with storage.writing("exports/1/archive.zip") as writer:
        await writer.write(FILM)
    acknowledge("exports/1/archive.zip")
    await storage.drop_unfinished(timedelta(days=1))


def acknowledge(key: str) -> None:
    os.write(sys.stdout.fileno(), f"stored {key}\n".encode())


if __name__ == "__main__":
    asyncio.run(main())
