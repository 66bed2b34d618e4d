"""`videoflix webhooks`."""

import asyncio
from contextlib import suppress

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group()
def webhooks() -> None:
    """Develop receivers of webhooks."""


@webhooks.command("listen")
@click.option("--forward-to", metavar="URL", help="Also send each event, signed, to this URL.")
@click.option("--event", "events", multiple=True, metavar="TYPE", help="Only events of this type.")
def listen(forward_to: str | None, events: tuple[str, ...]) -> None:
    """Print the site's events as they happen, as JSON lines, until interrupted."""
    with suppress(asyncio.CancelledError):
        asyncio.run(late("videoflix.up.webhooks:listen")(forward_to, events))
