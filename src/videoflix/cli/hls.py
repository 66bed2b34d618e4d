"""`videoflix hls`."""

import sys

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group()
def hls() -> None:
    """Check HLS playlists and their media."""


@hls.command("check")
@click.argument("target", metavar="VIDEO_ID|URL")
@click.option(
    "--segments",
    "segments_max",
    type=click.IntRange(0),
    default=0,
    help="Read at most so many segments of each rendition, evenly spread; 0 reads all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_hls(target: str, segments_max: int, as_json: bool) -> None:
    """Check a video of this site, or any HLS URL, against RFC 8216bis and Apple's rules.

    A video is read from the database and the media storage, a URL by HTTP. Only playlists and the
    heads of fragments are read. Exit status: 0 without errors (warnings are possible), 1 with
    errors, 2 if it could not be checked.
    """
    run = late("videoflix.up.hls_check:run")
    sys.exit(run(target, segments_max=segments_max, as_json=as_json))
