"""Finds ffmpeg, and builds every command line that reads files of others."""

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg

from videoflix.media.probe.result import DEMUXERS
from videoflix.platform.process.run import Limits, clean_environment
from videoflix.settings import settings

NEEDED = {"-encoders": ("libx264", "aac"), "-filters": ("bwdif", "zscale", "tonemap")}
# Enough to keep the encoders busy; each more costs processor time and memory.
DECODER_THREADS = 1


class FFmpegMissing(Exception):
    """No usable ffmpeg: the message says where one was looked for and what it lacks."""


def limits(media_seconds: float) -> Limits:
    """Bounds for work on so many seconds of film: generous, but an end."""
    return Limits(
        wall_seconds=600 + media_seconds * 120,
        cpu_seconds=int(1200 + media_seconds * 240),
        memory_bytes=12 << 30,
        file_bytes=64 << 30,
    )


@cache
def find_ffmpeg() -> Path:
    """The ffmpeg to use: FFMPEG_PATH, the wheel's, then PATH's. Raises FFmpegMissing."""
    path = settings.ffmpeg_path or _of_the_wheel() or _on_path()
    if path is None:
        raise FFmpegMissing("No ffmpeg was found: set FFMPEG_PATH to one.")
    for listing, names in NEEDED.items():
        listed = _listed(path, listing)
        if lacking := [name for name in names if f" {name} " not in listed]:
            raise FFmpegMissing(
                f"{path} lacks {', '.join(lacking)}: set FFMPEG_PATH to another one."
            )
    return path


def lacks_encoder(path: Path, name: str) -> bool:
    """Whether this ffmpeg cannot encode so."""
    return f" {name} " not in _listed(path, "-encoders")


def _listed(path: Path, listing: str) -> str:
    try:
        return subprocess.run(  # noqa: S603 - the operator's own program
            [path, "-hide_banner", listing],
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
            env=clean_environment(),
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FFmpegMissing(f"FFMPEG_PATH: {path} cannot be run ({error}).") from error


def _of_the_wheel() -> Path | None:
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None


def _on_path() -> Path | None:
    found = shutil.which("ffmpeg")
    return Path(found) if found else None


def base_command() -> list[str]:
    """ffmpeg, quiet, never asking, with its progress on stdout."""
    options = ["-hide_banner", "-nostdin", "-y", "-v", "error", "-nostats"]
    return [str(find_ffmpeg()), *options, "-progress", "pipe:1", "-stats_period", "0.5"]


class Input(NamedTuple):
    """A file that others made, and how it is read."""

    path: Path
    options: Sequence[str] = ()


def command(inputs: Sequence[Input], outputs: Sequence[str]) -> list[str]:
    """The one way to a command line that reads files of others: each input is pinned down.

    Only as the media file it claims to be (playlists and scripts name other files), and without
    following anything it names, in whatever protocol.
    """
    options = [
        option
        for source in inputs
        for option in (
            *source.options,
            "-protocol_whitelist", "file",
            "-format_whitelist", DEMUXERS,
            "-max_pixels", str(settings.film_max_pixels),
            "-threads", str(DECODER_THREADS),
            "-i", f"file:{source.path}",
        )
    ]  # fmt: skip
    return [*base_command(), *options, *outputs]
