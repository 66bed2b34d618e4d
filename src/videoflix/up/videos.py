"""`videoflix videos`: follow, cancel and repeat the processing of a video."""

import asyncio

import click
import msgspec

from videoflix.media.models import UNFINISHED, AssetState
from videoflix.media.schemas import EncodingRead, TrackProgress
from videoflix.media.service.encoding import Encoding
from videoflix.platform.postgres.session import transaction
from videoflix.up.admin import errors_as_sentences

POLL_SECONDS = 1.0
BAR = 24


async def follow(video_id: int, *, watch: bool, as_json: bool) -> int:
    """Print the progress, once or until processing has ended; return the exit status.

    Raises ClickException.
    """
    shown = ""
    while True:
        with errors_as_sentences():
            async with transaction() as session:
                found = await Encoding(session).read(video_id)
        text = msgspec.json.encode(found).decode() if as_json else describe(found)
        if text != shown:
            click.echo(text)
            shown = text
        if not watch or found.state not in UNFINISHED:
            return int(found.state is AssetState.FAILED)
        await asyncio.sleep(POLL_SECONDS)


async def cancel(video_id: int) -> None:
    """Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            await Encoding(session).cancel(video_id)


async def encode_again(video_id: int) -> None:
    """Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            await Encoding(session).encode_again(video_id)


def describe(found: EncodingRead) -> str:
    """The progress as lines: the whole, then a bar for each track."""
    parts = [f"Video {found.video_id}: {found.state.value}, {found.encoded:.0%}"]
    if found.seconds_left is not None:
        parts.append(f"about {duration_of(found.seconds_left)} left")
    if found.films_ahead:
        parts.append(f"{found.films_ahead} earlier film{'' if found.films_ahead == 1 else 's'}")
    lines = [", ".join(parts)]
    if trouble := found.failure or found.stalled:
        lines.append(f"  {trouble.reason}")
    return "\n".join([*lines, *map(_line, found.tracks)])


def _line(track: TrackProgress) -> str:
    done = round(track.encoded * BAR)
    words = " ".join(filter(None, [track.language, track.label]))
    return f"  {track.name:<8} [{'#' * done:<{BAR}}] {track.encoded:>4.0%} {words}".rstrip()


def duration_of(seconds: float) -> str:
    """Hours, minutes and seconds, without what is zero at the front."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minute} min"
    return f"{minute} min {second} s" if minute else f"{second} s"
