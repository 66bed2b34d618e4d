"""The sample video: rendered, and uploaded through the API like any other."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from videoflix.media.ffmpeg import FFmpegMissing
from videoflix.platform.process.run import ProcessFailed
from videoflix.up.console import Terminal
from videoflix.up.sample_video import render

TITLE = "Welcome to Videoflix"
DESCRIPTION = "Thirty seconds of colour and sound for a first test. You can delete it at any time."
TIMEOUT = httpx.Timeout(30, read=120)


class SampleFailed(Exception):
    """The sample video could not be made; the message says why."""


async def show_sample(url: str, token: str, scratch: Path, screen: Terminal) -> None:
    """Render and upload the video, show the progress of encoding, and print its URL.

    Raises SampleFailed.
    """
    await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
    headers = {"Authorization": f"Bearer {token}"}
    with TemporaryDirectory(dir=scratch) as folder:
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=TIMEOUT, trust_env=False
        ) as client:
            with translated_errors():
                film = Path(folder) / "welcome.mp4"
                with screen.progress("Rendering a sample film") as on_progress:
                    await render(film, on_progress)
                video_id = await upload(client, film)
                with screen.progress("Encoding the sample film") as on_progress:
                    await follow(client, video_id, on_progress)
    screen.say(f"The sample film is ready: {url}/#/watch/{video_id}")


async def upload(client: httpx.AsyncClient, film: Path) -> int:
    """Upload the file; return the id of the video."""
    with await asyncio.to_thread(film.open, "rb") as file:
        response = await client.post(
            "/api/v1/videos",
            data={"title": TITLE, "description": DESCRIPTION},
            files={"file": (film.name, file, "video/mp4")},
        )
    response.raise_for_status()
    video_id: int = response.json()["id"]
    return video_id


async def follow(
    client: httpx.AsyncClient, video_id: int, on_progress: Callable[[float], None]
) -> None:
    """Follow the event stream until the video is complete. Raises SampleFailed."""
    async for video in events(client, video_id):
        on_progress(video["progress"])
        if video["state"] == "failed":
            raise SampleFailed(video["failure"]["reason"])
        if video["state"] == "ready":
            return
    raise SampleFailed("The film was deleted while it was being encoded.")


async def events(client: httpx.AsyncClient, video_id: int) -> AsyncGenerator[dict[str, Any]]:
    async with client.stream("GET", f"/api/v1/videos/{video_id}/events") as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Convert expected errors to SampleFailed."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise SampleFailed(f"The API rejected it: {error.response.text}") from error
    except (httpx.HTTPError, ProcessFailed, FFmpegMissing, OSError) as error:
        raise SampleFailed(f"{error}.") from error
