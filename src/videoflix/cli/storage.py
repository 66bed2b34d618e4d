"""`videoflix storage`."""

import asyncio
import sys

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group()
def storage() -> None:
    """Move media between folders and buckets."""


@storage.command("move")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--sizes-only", is_flag=True, help="Do not read copies back to compare SHA-256.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Number of objects that are copied at once.",
)
def move_storage(source: str, target: str, sizes_only: bool, parallel: int) -> None:
    """Copy all media from one storage URL to another while the site runs.

    What is complete in TO is not copied again, so the command can be interrupted and repeated. The
    copy continues until nothing new is found; then it says which setting to change. FROM is
    never changed.

    Exit status: 0, or 1 if some objects could not be copied.
    """
    move = late("videoflix.up.storage_move:move")
    sys.exit(asyncio.run(move(source, target, verify=not sizes_only, parallel=parallel)))
