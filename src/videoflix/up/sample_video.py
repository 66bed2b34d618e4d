"""Render the sample video, thirty seconds with a title and a tune, with ffmpeg alone.

Containers often have no fonts, so the title's letters are drawn here.
"""

import asyncio
import math
from collections.abc import Callable, Iterable
from pathlib import Path

from videoflix.media.ffmpeg import base_command
from videoflix.platform.process.run import Limits, run

SECONDS = 30
WORD = "VIDEOFLIX"
LIMITS = Limits(wall_seconds=300, cpu_seconds=600, memory_bytes=8 << 30, file_bytes=1 << 30)

# Each letter is seven rows of pixels.
LETTERS = {
    "D": "11110 10001 10001 10001 10001 10001 11110",
    "E": "11111 10000 10000 11110 10000 10000 11111",
    "F": "11111 10000 10000 11110 10000 10000 10000",
    "I": "111 010 010 010 010 010 111",
    "L": "10000 10000 10000 10000 10000 10000 11111",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "V": "10001 10001 10001 10001 10001 01010 00100",
    "X": "10001 10001 01010 00100 01010 10001 10001",
}
WHITE, CANDLE = b"\xff\xff\xff", b"\xff\xec\xc8"

# Rendered small and scaled up, which stays smooth and takes a fraction of the time.
SKY = (
    f"gradients=s=320x180:r=25:d={SECONDS}:n=4:type=linear:speed=0.008:seed=11"
    ":c0=0x0b1030:c1=0x4a1f78:c2=0xb83266:c3=0xff8a3d"
)
PLAYED = f"color=0xffb347:s=1280x8:r=25:d={SECONDS}"
# Three moving lights, the title, and a progress bar.
PICTURE = f"""
[0]scale=1280:720:flags=bicubic,format=yuv420p[sky];
[1]split=3[light1][light2][light3];
[light1]scale=520:-1[near];
[light2]scale=300:-1[middle];
[light3]scale=180:-1[far];
[2]scale=16*iw:-1:flags=neighbor[letters];
[letters]fade=in:st=1:d=2:alpha=1,fade=out:st={SECONDS - 3}:d=2:alpha=1[title];
[sky][far]overlay=x='W*(0.50+0.42*sin(t*0.31))-w/2':y='H*(0.50+0.35*cos(t*0.47))-h/2'[a];
[a][middle]overlay=x='W*(0.50+0.38*cos(t*0.23+2))-w/2':y='H*(0.50+0.30*sin(t*0.39))-h/2'[b];
[b][near]overlay=x='W*(0.50+0.45*sin(t*0.17+4))-w/2':y='H*(0.50+0.25*sin(t*0.29+1))-h/2'[c];
[c][title]overlay=x='(W-w)/2':y='(H-h)/2+10*sin(t*0.8)'[d];
[d][3]overlay=x='W*(t/{SECONDS}-1)':y='H-h',format=yuv420p[film]
"""
# A pentatonic melody (A, B, C sharp, E, F sharp) over the basses A, F sharp, D, E. Each note has a
# short attack and decays; the melody moves three degrees at a time.
BAR, NOTE = "mod(floor(t/2),4)", "floor(t*2)"
BASS = f"110*pow(2,(-3*eq({BAR},1)-7*eq({BAR},2)-5*eq({BAR},3))/12)"
DEGREE = f"mod({NOTE}*3+floor({NOTE}/8),5)"
OCTAVE = f"mod(floor({NOTE}/3),2)"
MELODY = f"440*pow(2,(2*{DEGREE}+gt({DEGREE},2))/12+{OCTAVE})"
TUNE = (
    f"0.16*(1-exp(-90*mod(t,0.5)))*exp(-4*mod(t,0.5))*sin(2*PI*{MELODY}*t)"
    f"+0.20*(1-exp(-20*mod(t,2)))*exp(-0.9*mod(t,2))*sin(2*PI*{BASS}*t)"
)
SOUND = f"aevalsrc='{TUNE}':d={SECONDS}:s=48000,afade=out:st={SECONDS - 3}:d=3"


async def render(film: Path, on_progress: Callable[[float], None]) -> None:
    """Write the video file; `on_progress` is called with the share done, 0 to 1.

    Raises FFmpegMissing, ProcessFailed or OSError.
    """
    light, title = film.with_name("light.pam"), film.with_name("title.pam")
    await asyncio.to_thread(light.write_bytes, draw_light(220))
    await asyncio.to_thread(title.write_bytes, draw_title(WORD))

    def on_line(line: str) -> None:
        name, _, value = line.partition("=")
        if name == "out_time_us" and value.isdigit():
            on_progress(int(value) / 1e6 / SECONDS)

    await run(
        _command(film, light, title),
        LIMITS,
        on_line,
        reads=[light, title],
        writes=[film.parent],
    )


def _command(film: Path, light: Path, title: Path) -> list[str]:
    still = ["-loop", "1", "-framerate", "25", "-i"]
    return [
        *base_command(),
        "-f", "lavfi", "-i", SKY,
        *still, f"file:{light}",
        *still, f"file:{title}",
        "-f", "lavfi", "-i", PLAYED,
        "-f", "lavfi", "-i", SOUND,
        "-filter_complex", PICTURE, "-map", "[film]", "-map", "4:a", "-t", str(SECONDS),
        "-c:v", "libx264", "-preset", "superfast", "-crf", "21",
        "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart",
        f"file:{film}",
    ]  # fmt: skip


def draw_title(word: str) -> bytes:
    """Draw the word in white on transparent, one pixel between letters."""
    rows = ["0".join(LETTERS[letter].split()[row] for letter in word) for row in range(7)]
    return pam(len(rows[0]), 7, WHITE, (230 * int(dot) for row in rows for dot in row))


def draw_light(size: int) -> bytes:
    """Draw a round light that fades towards its edge."""
    middle = (size - 1) / 2

    def strength(x: int, y: int) -> int:
        return int(190 * max(0.0, 1 - math.hypot(x - middle, y - middle) / middle) ** 2)

    return pam(size, size, CANDLE, (strength(x, y) for y in range(size) for x in range(size)))


def pam(width: int, height: int, colour: bytes, opacities: Iterable[int]) -> bytes:
    """Format an image of one colour with an opacity (0 to 255) for each pixel, as PAM.

    PAM is the simplest format with transparency: a header and raw pixels.
    """
    header = [
        "P7",
        f"WIDTH {width}",
        f"HEIGHT {height}",
        "DEPTH 4",
        "MAXVAL 255",
        "TUPLTYPE RGB_ALPHA",
        "ENDHDR\n",
    ]
    return "\n".join(header).encode() + b"".join(colour + bytes([dot]) for dot in opacities)
