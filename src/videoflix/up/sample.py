"""The sample film, treated as any client would treat one: uploaded, followed, linked to."""

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
DESCRIPTION = "Thirty seconds of colour and sound, to try things with. Delete it when you like."
PATIENCE = httpx.Timeout(30, read=120)


class SampleFailed(Exception):
    """There is no sample film; the message says at which step and why."""


async def show_sample(url: str, token: str, scratch: Path, screen: Terminal) -> None:
    """Make the film, upload it, show how it is encoded, and say where to watch it.

    Raises SampleFailed.
    """
    await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
    headers = {"Authorization": f"Bearer {token}"}
    with TemporaryDirectory(dir=scratch) as folder:
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=PATIENCE, trust_env=False
        ) as client:
            with translated_errors():
                film = Path(folder) / "welcome.mp4"
                with screen.progress("Rendering a sample film") as told:
                    await render(film, told)
                video_id = await upload(client, film)
                with screen.progress("Encoding it for every device") as told:
                    await follow(client, video_id, told)
    screen.say(f"The sample film is ready: {url}/#/watch/{video_id}")


async def upload(client: httpx.AsyncClient, film: Path) -> int:
    """The new film's id."""
    with await asyncio.to_thread(film.open, "rb") as file:
        answer = await client.post(
            "/api/v1/videos",
            data={"title": TITLE, "description": DESCRIPTION},
            files={"file": (film.name, file, "video/mp4")},
        )
    answer.raise_for_status()
    video_id: int = answer.json()["id"]
    return video_id


async def follow(client: httpx.AsyncClient, video_id: int, told: Callable[[float], None]) -> None:
    """Wait until the film is complete, by its event stream."""
    async for video in events(client, video_id):
        told(video["progress"])
        if video["state"] == "failed":
            raise SampleFailed(video["failure"]["reason"])
        if video["state"] == "ready":
            return
    raise SampleFailed("The film disappeared while it was being encoded.")


async def events(client: httpx.AsyncClient, video_id: int) -> AsyncGenerator[dict[str, Any]]:
    async with client.stream("GET", f"/api/v1/videos/{video_id}/events") as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Everything that may go wrong on the way, as SampleFailed."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise SampleFailed(f"The API refused it: {error.response.text}") from error
    except (httpx.HTTPError, ProcessFailed, FFmpegMissing, OSError) as error:
        raise SampleFailed(f"{error}.") from error
