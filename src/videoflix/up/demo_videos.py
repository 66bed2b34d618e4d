"""Invented films for a first look at the catalogue, drawn by ffmpeg alone."""

from pathlib import Path
from typing import NamedTuple

from videoflix.media.ffmpeg import base_command
from videoflix.platform.process.run import Limits, run

SECONDS = 12
LIMITS = Limits(wall_seconds=120, cpu_seconds=240, memory_bytes=4 << 30, file_bytes=1 << 28)


class DemoVideo(NamedTuple):
    """A film to be: `picture` and `tone` (in hertz) are drawn by ffmpeg alone."""

    title: str
    author: str
    category: str
    genre: str
    year: int
    tags: list[str]
    description: str
    picture: str
    tone: int


def gradient(seed: int, kind: str, *colours: str) -> str:
    chosen = ":".join(f"c{number}=0x{colour}" for number, colour in enumerate(colours))
    return f"gradients=s=640x360:r=25:n={len(colours)}:type={kind}:speed=0.012:seed={seed}:{chosen}"


DEMO_VIDEOS = [
    DemoVideo("The Lighthouse Keeper's Atlas", "Ines Varga", "Drama", "drama", 2019,
          ["sea", "solitude"], "A keeper maps every storm that passes her tower, until one stays.",
          gradient(3, "radial", "061a2b", "0d4f6e", "f2c14e"), 220),
    DemoVideo("Eleven Minutes to Orbit", "Tomas Lindqvist", "Science", "documentary", 2022,
          ["space", "engineering"], "What happens between the countdown's end and weightlessness.",
          "mandelbrot=s=640x360:r=25:maxiter=120:end_scale=0.02", 330),
    DemoVideo("Slow Trains North", "Ines Varga", "Travel", "documentary", 2017,
          ["railway", "winter"], "Four seasons from the window of the last night train.",
          gradient(8, "linear", "10243e", "3f72af", "dbe2ef", "f9f7f7"), 196),
    DemoVideo("Cells", "Amara Okoye", "Science", "animation", 2021,
          ["biology", "patterns"], "Simple rules, endless forms: an animated essay.",
          "life=s=160x90:r=12:mold=12:ratio=0.35:life_color=#7ee8b0:death_color=#0c3b2e,"
          "scale=640:360:flags=neighbor", 262),
    DemoVideo("The Orchard in July", "Pilar Montes", "Drama", "drama", 2015,
          ["family", "summer"], "Three sisters, one harvest, and a letter nobody opened.",
          gradient(21, "spiral", "5b8c5a", "e3b505", "95190c"), 247),
    DemoVideo("Neon Harbour", "Jun Akiyama", "Night", "action", 2023,
          ["city", "night", "chase"], "A courier has until dawn to cross a city that never sleeps.",
          gradient(34, "circular", "0b0033", "ff2e88", "00e5ff"), 165),
    DemoVideo("A Short History of Blue", "Amara Okoye", "Art", "documentary", 2020,
          ["colour", "painting"], "From lapis to denim: how a colour was found, made and sold.",
          gradient(55, "linear", "001219", "005f73", "94d2bd", "0a9396"), 294),
    DemoVideo("Triangles", "Jun Akiyama", "Art", "animation", 2018,
          ["geometry", "patterns"], "A shape falls into itself, for ever.",
          "sierpinski=s=640x360:r=25:type=triangle:seed=7,hue=h=210:s=1.4", 349),
]  # fmt: skip


async def draw(scene: DemoVideo, film: Path) -> None:
    """Write the film. Raises FFmpegMissing or ProcessFailed."""
    sound = f"sine=f={scene.tone}:r=48000,tremolo=f=0.6:d=0.6,volume=0.25"
    command = [
        *base_command(),
        "-f", "lavfi", "-i", scene.picture,
        "-f", "lavfi", "-i", sound,
        "-t", str(SECONDS),
        "-vf", "format=yuv420p", "-c:v", "libx264", "-preset", "superfast", "-crf", "22",
        "-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart",
        f"file:{film}",
    ]  # fmt: skip
    await run(command, LIMITS, lambda _: None, writes=[film.parent])
