"""Extract the text subtitles of a source."""

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.plan import EncodePlan
from videoflix.media.probe.result import SubtitleTrack
from videoflix.platform.process.run import LaunchFailed, ProcessFailed, ProcessKilled
from videoflix.platform.webvtt import Cue, InvalidSubtitles, parse_cues

logger = logging.getLogger(__name__)


async def extract_subtitles(
    source: Path, plan: EncodePlan, folder: Path
) -> dict[str, tuple[str, list[Cue]]]:
    """Label and cues by language, on the film's clock; tracks that cannot be read are left out.

    Raises LaunchFailed, ProcessKilled or StorageFull.
    """
    try:
        await _convert(source, plan, folder, plan.subtitles)
    except (LaunchFailed, ProcessKilled):
        raise  # says nothing about the file
    except ProcessFailed:
        await _convert_singly(source, plan, folder)
    found = {}
    for track in plan.subtitles:
        if cues := _cues(_file(folder, track), Fraction(plan.origin)):
            found[track.language] = track.label, cues
    return found


async def _convert_singly(source: Path, plan: EncodePlan, folder: Path) -> None:
    for track in plan.subtitles:
        try:
            await _convert(source, plan, folder, [track])
        except (LaunchFailed, ProcessKilled):
            raise
        except ProcessFailed:
            logger.info("subtitle track %s cannot be read", track.index)


async def _convert(
    source: Path, plan: EncodePlan, folder: Path, tracks: Sequence[SubtitleTrack]
) -> None:
    options = [
        option
        for track in tracks
        for option in ("-map", f"0:{track.index}", "-f", "webvtt", f"file:{_file(folder, track)}")
    ]
    await run_ffmpeg([Input(source, ["-copyts"])], options, folder, plan.duration)


def _file(folder: Path, track: SubtitleTrack) -> Path:
    return folder / f"{track.index}.vtt"


def _cues(file: Path, origin: Fraction) -> list[Cue]:
    """The cues of a file, with times from the film's first frame."""
    try:
        read = parse_cues(file.read_bytes())
    except (FileNotFoundError, InvalidSubtitles) as error:
        logger.info("subtitles of the source are left out: %s", error)
        return []
    offset = float(origin)
    moved = [cue._replace(start=max(0.0, cue.start - offset), end=cue.end - offset) for cue in read]
    return [cue for cue in moved if cue.end > cue.start]
