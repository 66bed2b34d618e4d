"""What encoding a film costs, against the limit and against the usual way, in one run.

    uv run python benchmarks/transcode.py [--seconds 24] [--rounds 3] [--preset fast]

- ours: the pipeline as the workers run it, chunk by chunk, two chunks at a time.
- pure: x264 alone, every rung from raw frames that are scaled already; nobody can do less.
- each: one ffmpeg a rendition, one after the other; each decodes again and encodes the sound.

All three use the same encoder settings. CPU is the children's, user and system. Absolute times
say little on shared machines; the ratios are medians of rounds that take turns.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory
from typing import NamedTuple

from videoflix.media import encode
from videoflix.media.encode_audio import AudioPart, encode_audio
from videoflix.media.ffmpeg import find_ffmpeg
from videoflix.media.ladder import Rung
from videoflix.media.plan import EncodePlan, make_plan
from videoflix.media.probe.source import probe
from videoflix.settings import settings

AT_ONCE = 2
CRF = {"fast": 20, "veryfast": 23}
# preset: CPU against pure, CPU against each, wall against each
LIMITS = {"fast": (1.15, 0.85, 0.85), "veryfast": (1.40, 0.70, 0.70)}


class Cost(NamedTuple):
    """Seconds of all children's processors, and of the clock."""

    cpu: float
    wall: float


def measured(work: Callable[[], None]) -> Cost:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, time.monotonic() - start)


def ffmpeg(*arguments: str | Path) -> None:
    command = [find_ffmpeg(), "-nostdin", "-y", "-v", "error", *arguments]
    subprocess.run(command, check=True)


def film_like(file: Path, seconds: int) -> None:
    """A hand-held camera sweeps over a textured scene, a figure moves in front of it; with sound.

    Texture that moves and turns is what films are made of; test patterns are too easy to encode,
    and pure noise too hard.
    """
    still = file.with_suffix(".png")
    octaves = [
        f"color=gray:s={size}:d=1:r=1,noise=all_seed={seed}:alls={strength},scale=2400x1350"
        for size, seed, strength in (("320x180", 7, 100), ("960x540", 9, 70), ("2400x1350", 5, 40))
    ]
    scene = (
        f"{octaves[0]}[a];{octaves[1]}[b];{octaves[2]},gblur=1[c];"
        "[a][b]blend=all_mode=average[ab];[ab][c]blend=all_mode=average"
    )
    ffmpeg("-f", "lavfi", "-i", scene, "-frames:v", "1", "-update", "1", still)
    sweep = (
        "[0:v]rotate='0.06*sin(t*1.3)',"
        "crop=1920:1080:x='240+200*sin(t/2)':y='135+100*cos(t/3)',format=yuv420p[scene];"
        "[1:v]rotate=t/2:c=none,format=yuva420p[figure];"
        "[scene][figure]overlay=x='500+300*sin(t)':y='300+200*cos(t)'[v]"
    )
    ffmpeg(
        "-loop", "1", "-framerate", "24", "-i", still, "-f", "lavfi", "-i",
        "testsrc2=s=640x360:r=24", "-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.2",
        "-filter_complex", sweep, "-map", "[v]", "-map", "2:a", "-t", str(seconds),
        "-c:v", "libx264", "-preset", "fast", "-crf", "20", "-g", "48", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-b:a", "192k", file,
    )  # fmt: skip


class Contest:
    """The three ways, for one clip and one preset."""

    def __init__(self, source: Path, plan: EncodePlan, folder: Path) -> None:
        self.source, self.plan, self.folder = source, plan, folder

    def prepare(self) -> None:
        for rung in self.plan.rungs:
            scale = f"scale={rung.width}:{rung.height}:flags=lanczos,format=yuv420p,setsar=1"
            ffmpeg("-i", self.source, "-an", "-vf", scale, self._raw(rung))

    def ours(self) -> None:
        asyncio.run(self._ours())

    async def _ours(self) -> None:
        turn = asyncio.Semaphore(AT_ONCE)

        async def chunk(number: int) -> None:
            async with turn:
                folder = self.folder / f"ours-{number}"
                folder.mkdir(exist_ok=True)
                span = self.plan.spans[number]
                await encode.encode_chunk(self.source, self.plan, span, folder, no_report)

        async def sound() -> None:
            async with turn:
                folder = self.folder / "ours-audio"
                folder.mkdir()
                await encode_audio(self.source, self.plan, folder, no_part)
                shutil.rmtree(folder)

        await asyncio.gather(sound(), *(chunk(span.index) for span in self.plan.spans))

    def pure(self) -> None:
        def one(rung: Rung) -> None:
            out = self.folder / f"pure-{rung.name}.mp4"
            ffmpeg("-i", self._raw(rung), *self._x264(rung, "1"), out)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, self.plan.rungs))

    def each(self) -> None:
        for rung in self.plan.rungs:
            scale = f"scale={rung.width}:{rung.height}:flags=bicubic"
            ffmpeg(
                "-i", self.source, "-vf", scale, *self._x264(rung, "0"), "-c:a", "aac",
                "-b:a", "128k", "-ac", "2", self.folder / f"each-{rung.name}.mp4",
            )  # fmt: skip

    def _raw(self, rung: Rung) -> Path:
        return self.folder / f"raw-{rung.name}.y4m"

    def _x264(self, rung: Rung, threads: str) -> list[str]:
        return [
            "-c:v", "libx264", "-preset", settings.x264_preset, "-crf", str(settings.x264_crf),
            "-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.max_bitrate),
            "-threads", threads, "-pix_fmt", "yuv420p", "-flags", "+cgop",
            "-force_key_frames", f"expr:eq(mod(n,{self.plan.segment_frames}),0)",
            "-g", str(2 * self.plan.segment_frames),
        ]  # fmt: skip


async def no_report(frames: int) -> None:
    """Nobody watches."""


async def no_part(_: AudioPart) -> None:
    """Nobody plays it yet."""


def contest(seconds: int, rounds: int, folder: Path) -> dict[str, list[Cost]]:
    source = folder / "source.mp4"
    print(f"making a clip of {seconds} s and its raw frames …", flush=True)
    film_like(source, seconds)
    plan = make_plan(asyncio.run(probe(source)))
    race = Contest(source, plan, folder)
    race.prepare()
    costs: dict[str, list[Cost]] = {"ours": [], "pure": [], "each": []}
    for number in range(rounds):
        for name, work in (("pure", race.pure), ("each", race.each), ("ours", race.ours)):
            costs[name].append(measured(work))
            cost = costs[name][-1]
            print(
                f"round {number + 1} {name}: {cost.cpu:6.1f} s CPU {cost.wall:6.1f} s", flush=True
            )
    return costs


def verdict(preset: str, costs: dict[str, list[Cost]]) -> bool:
    """Print the ratios beside their limits; whether all hold."""

    def ratio(other: str, field: int) -> float:
        pairs = zip(costs["ours"], costs[other], strict=True)
        return statistics.median(ours[field] / theirs[field] for ours, theirs in pairs)

    rows = [
        ("CPU, ours / pure x264", ratio("pure", 0)),
        ("CPU, ours / one process each", ratio("each", 0)),
        ("wall, ours / one process each", ratio("each", 1)),
    ]
    holds = True
    print(f"\npreset {preset}")
    for (name, value), limit in zip(rows, LIMITS[preset], strict=True):
        holds &= value <= limit
        print(
            f"  {name:30} {value:5.2f}  limit {limit:.2f}  {'ok' if value <= limit else 'MISSED'}"
        )
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--preset", choices=list(LIMITS), help="only this one")
    arguments = parser.parse_args()
    if arguments.preset is None:  # settings are read once a process, so each preset gets its own
        return max(
            subprocess.run([sys.executable, *sys.argv, "--preset", preset]).returncode
            for preset in LIMITS
        )
    if settings.x264_preset != arguments.preset or settings.x264_crf != CRF[arguments.preset]:
        chosen = {"X264_PRESET": arguments.preset, "X264_CRF": str(CRF[arguments.preset])}
        return subprocess.run([sys.executable, *sys.argv], env=os.environ | chosen).returncode
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        costs = contest(arguments.seconds, arguments.rounds, Path(name))
    return 0 if verdict(arguments.preset, costs) else 1


if __name__ == "__main__":
    sys.exit(main())
