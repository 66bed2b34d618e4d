"""`videoflix media` and `videoflix videos`."""

import asyncio
import sys

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group()
def media() -> None:
    """Manage uploaded files and the media storage."""


@media.command("fsck")
@click.option(
    "--repair", is_flag=True, help="Recreate what can be derived from sources; delete orphans."
)
@click.option("--hash", "read_all", is_flag=True, help="Read every object and compare its SHA-256.")
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=0.0),
    default=24.0,
    show_default=True,
    help="Ignore younger objects, whose rows may not be committed yet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_media(repair: bool, read_all: bool, grace_hours: float, as_json: bool) -> None:
    """Compare the database with the stored files, in both directions.

    Exit status: 0 without findings, 1 with findings, 2 if the check failed.
    """
    check = late("videoflix.up.fsck:run")
    sys.exit(check(repair=repair, read_all=read_all, grace_hours=grace_hours, as_json=as_json))


@media.command("adopt")
def adopt_storage() -> None:
    """Pair this database with this media storage.

    For a storage that was moved without its marker, or an old storage with a new database.
    """
    click.echo(asyncio.run(late("videoflix.up.fsck:adopt")()))


@media.command("retry")
@click.argument("video_id", type=click.IntRange(1), required=False)
@click.option("--all-failed", is_flag=True, help="All films whose file failed and is kept.")
def retry_video(video_id: int | None, all_failed: bool) -> None:
    """Resume processing of a video's newest file; finished chunks are kept."""
    if (video_id is None) is not all_failed:
        raise click.UsageError("Give the ID of a film, or --all-failed.")
    count = asyncio.run(late("videoflix.up.media:retry")(video_id))
    click.echo(f"{count} film{'' if count == 1 else 's'} queued.")


@main.group()
def videos() -> None:
    """Follow and repeat the processing of videos."""


@videos.command("status")
@click.argument("video_id", type=click.IntRange(1))
@click.option("--watch", is_flag=True, help="Follow it until processing has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one document for each change.")
def show_video_status(video_id: int, watch: bool, as_json: bool) -> None:
    """Show how far each track of a video's newest file is, and how long it will take.

    Exit status: 0, or 1 if processing failed.
    """
    follow = late("videoflix.up.videos:follow")
    sys.exit(asyncio.run(follow(video_id, watch=watch, as_json=as_json)))


@videos.command("cancel")
@click.argument("video_id", type=click.IntRange(1))
def cancel_video(video_id: int) -> None:
    """Stop the processing of a video's newest file; `videoflix media retry` resumes it."""
    asyncio.run(late("videoflix.up.videos:cancel")(video_id))
    click.echo("Cancelled. Chunks in progress are still completed.")


@videos.command("encode-again")
@click.argument("video_id", type=click.IntRange(1))
def encode_video_again(video_id: int) -> None:
    """Encode a video's file with the present settings; the video plays as before until then."""
    asyncio.run(late("videoflix.up.videos:encode_again")(video_id))
    click.echo(f"Queued. Follow it with `videoflix videos status {video_id} --watch`.")
