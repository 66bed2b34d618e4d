"""Small films for tests, made by the real ffmpeg."""

import subprocess
from pathlib import Path

from videoflix.media.ffmpeg import find_ffmpeg


def ffmpeg(*arguments: str | Path) -> None:
    command = [find_ffmpeg(), "-nostdin", "-y", "-v", "error", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def make_clip(
    file: Path,
    *,
    seconds: float = 2.0,
    size: str = "320x180",
    rate: str = "25",
    sound: bool = True,
    video: tuple[str, ...] = ("-c:v", "libx264", "-preset", "ultrafast"),
) -> Path:
    """A moving test picture with a counter, and a tone."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}"]
    tone = ["-f", "lavfi", "-i", f"sine=f=440:d={seconds}"] if sound else []
    coding = ["-c:a", "aac", "-ac", "2"] if sound else []
    ffmpeg(*picture, *tone, *video, "-pix_fmt", "yuv420p", *coding, file)
    return file
