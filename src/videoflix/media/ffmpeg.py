"""Find ffmpeg, and build every command line that reads untrusted files."""

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
# Enough to keep the encoders busy; more threads cost CPU time and memory.
DECODER_THREADS = 1
# Between two of our processes: its timestamps are as fine as the samples.
PIPE_FORMAT = "nut"


class FFmpegMissing(Exception):
    """No usable ffmpeg; the message names the path and what it lacks."""


def limits(media_seconds: float) -> Limits:
    """Generous resource limits for processing `media_seconds` of media."""
    return Limits(
        wall_seconds=600 + media_seconds * 120,
        cpu_seconds=int(1200 + media_seconds * 240),
        memory_bytes=12 << 30,
        file_bytes=64 << 30,
    )


@cache
def find_ffmpeg() -> Path:
    """Find ffmpeg: FFMPEG_PATH, then imageio-ffmpeg's, then PATH. Raises FFmpegMissing."""
    path = settings.ffmpeg_path or _of_the_wheel() or _on_path()
    if path is None:
        raise FFmpegMissing("ffmpeg was not found: set FFMPEG_PATH to its path.")
    for listing, names in NEEDED.items():
        listed = _listed(path, listing)
        if missing := [name for name in names if f" {name} " not in listed]:
            raise FFmpegMissing(
                f"{path} lacks {', '.join(missing)}: set FFMPEG_PATH to another build."
            )
    return path


def lacks_encoder(path: Path, name: str) -> bool:
    """Whether this ffmpeg lacks an encoder."""
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
    """The ffmpeg command without prompts or logs, with progress reports on stdout."""
    options = ["-hide_banner", "-nostdin", "-y", "-v", "error", "-nostats"]
    return [str(find_ffmpeg()), *options, "-progress", "pipe:1", "-stats_period", "0.5"]


class Input(NamedTuple):
    """An untrusted input file, ffmpeg options for reading it, and its possible formats."""

    path: Path
    options: Sequence[str] = ()
    formats: str = DEMUXERS


def command(inputs: Sequence[Input], outputs: Sequence[str]) -> list[str]:
    """Build the command line; the only way to read untrusted files with ffmpeg.

    Whitelists exclude playlists and scripts, which reference other files, and every protocol but
    local files (server-side request forgery, file disclosure).
    """
    options = [
        option
        for source in inputs
        for option in (
            *source.options,
            "-protocol_whitelist", "file",
            "-format_whitelist", source.formats,
            "-max_pixels", str(settings.film_max_pixels),
            "-threads", str(DECODER_THREADS),
            "-i", f"file:{source.path}",
        )
    ]  # fmt: skip
    return [*base_command(), *options, *outputs]
