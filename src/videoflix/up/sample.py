"""The sample film: rendered here, uploaded like any client would, followed until it is ready."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from videoflix.media.ffmpeg import FFmpegMissing, base_command
from videoflix.platform.processes import Limits, ProcessFailed, run
from videoflix.up.screen import Screen

TITLE = "Welcome to Videoflix"
DESCRIPTION = "Thirty seconds of colour and sound, to try things with. Delete it when you like."
SECONDS = 30
LIMITS = Limits(wall_seconds=300, cpu_seconds=600, memory_bytes=8 << 30, file_bytes=1 << 30)
PATIENCE = httpx.Timeout(30, read=120)

# Drawn small and scaled up: the colours are smooth, and it takes a quarter of the time.
PICTURE = (
    f"gradients=s=320x180:r=25:d={SECONDS}:n=4:type=spiral:speed=0.012"
    ":c0=0x1a1040:c1=0xff4d63:c2=0x2b6cb0:c3=0xffb347,"
    "format=yuv420p,vignette=PI/5,scale=1280:720:flags=bicubic"
)
# Two plucked voices that climb in fifths.
PLUCKED = (
    "{volume}*exp(-{decay}*mod(t,{beat}))"
    "*sin(2*PI*{base}*pow(2,mod(floor(t/{beat})*{step},12)/12)*t)"
)
MELODY = PLUCKED.format(volume=0.22, decay=4, beat=0.5, base=220, step=7)
BASS = PLUCKED.format(volume=0.12, decay=1, beat=2, base=110, step=5)


class SampleFailed(Exception):
    """There is no sample film; the message says at which step and why."""


async def show_sample(url: str, token: str, scratch: Path, screen: Screen) -> None:
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


async def render(film: Path, told: Callable[[float], None]) -> None:
    """`told` hears the share that is done, from 0 to 1."""

    def on_line(line: str) -> None:
        name, _, value = line.partition("=")
        if name == "out_time_us" and value.isdigit():
            told(int(value) / 1e6 / SECONDS)

    command = [
        *base_command(),
        "-f", "lavfi", "-i", PICTURE,
        "-f", "lavfi", "-i", f"aevalsrc='{MELODY}+{BASS}':d={SECONDS}:s=48000",
        "-c:v", "libx264", "-preset", "superfast", "-crf", "20", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart",
        f"file:{film}",
    ]  # fmt: skip
    await run(command, LIMITS, on_line)


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
