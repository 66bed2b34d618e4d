"""Run ffmpeg on untrusted files, and tell a full disk from other failures."""

from collections.abc import Sequence
from pathlib import Path

from videoflix.media.ffmpeg import Input, command, limits
from videoflix.platform.process.run import OnLine, ProcessFailed, run
from videoflix.platform.storage.media_storage import StorageFull

NO_SPACE = ("No space left", "quota exceeded")


async def run_ffmpeg(
    inputs: Sequence[Input],
    outputs: Sequence[str],
    folder: Path,
    media_seconds: float,
    on_line: OnLine | None = None,
) -> None:
    """Run ffmpeg with limits for `media_seconds` of media; it can write to `folder` only.

    Raises ProcessFailed or StorageFull.
    """
    try:
        await run(
            command(inputs, outputs),
            limits(media_seconds),
            on_line or (lambda _: None),
            reads=[source.path for source in inputs],
            writes=[folder],
        )
    except ProcessFailed as error:
        if any(words in error.log for words in NO_SPACE):
            raise StorageFull from error
        raise


async def ffmpeg_output(source: Input, outputs: Sequence[str]) -> str:
    """Run ffmpeg on one file, without writing any, and return its stdout. Raises ProcessFailed."""
    return await run(command([source], outputs), limits(0), reads=[source.path])
