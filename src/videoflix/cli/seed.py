"""`videoflix seed`."""

import asyncio

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group()
def seed() -> None:
    """Fill the site with sample data."""


@seed.command("demo")
def seed_demo() -> None:
    """Add short videos and members with plans, streams and invoices, for a first look."""
    members = asyncio.run(late("videoflix.up.seed:demo")())
    click.echo(f"Films and {members} members added. The workers are encoding the films now.")


@seed.command("bulk")
@click.option("--videos", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True)
def seed_bulk(videos: int) -> None:
    """Add very many videos without files, for benchmarks."""
    asyncio.run(late("videoflix.up.seed:bulk")(videos))
