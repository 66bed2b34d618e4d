"""Commands that export and import the installation."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from videoflix.cli.root import EXISTING, main
from videoflix.platform.late_import import late

# The older backends, named like their dialects.
SITES = ("academy", "netiflex", "authemail", "streaming", "movies")


@main.group("export", invoke_without_command=True)
@click.option("--media", is_flag=True, help="Include films, posters and pictures.")
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of the storage.",
)
@click.pass_context
def export_group(context: click.Context, media: bool, file: Path | None) -> None:
    """Export the whole installation into one archive."""
    if context.invoked_subcommand is None:
        asyncio.run(late("videoflix.up.backup:export")(file, media))


@export_group.command("verify")
@click.argument("file", type=EXISTING)
def verify_export(file: Path) -> None:
    """Check that an archive is complete and unmodified; needs no database."""
    late("videoflix.up.backup:verify")(file)


@main.command("import")
@click.argument("file", type=EXISTING)
@click.option("--dry-run", is_flag=True, help="Check the file without changing anything.")
@click.option("--replace", is_flag=True, help="Delete existing data first.")
def import_file(file: Path, dry_run: bool, replace: bool) -> None:
    """Import an archive, or the titles of an older backend's JSON list.

    The file is checked first, then imported in one transaction.
    """
    asyncio.run(late("videoflix.up.backup:import_file")(file, dry_run, replace))


@main.command("import-from")
@click.argument("site", type=click.Choice(SITES))
@click.argument("source")
@click.option(
    "--media",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The older backend's media folder, whose films are copied.",
)
@click.option("--dry-run", is_flag=True, help="Report what would happen, and change nothing.")
def import_from(site: str, source: str, media: Path | None, dry_run: bool) -> None:
    """Import the accounts, videos, lists and invoices of an older backend.

    SITE is the dialect of its front ends. SOURCE is the JSON file of `dumpdata`, a SQLite file, or
    the URL of a Postgres database. Everybody keeps their password. Run it again after an
    interruption, or for what was added since.
    """
    asyncio.run(late("videoflix.up.importers:import_from")(site, source, media, dry_run))


@main.command("export-videos")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def export_videos(file: Path | None) -> None:
    """Export the titles as a JSON list, in the format of older backends.

    Without FILE: to exports/video_data_DATE_TIME.json.
    """
    if file is None:
        now = datetime.now(UTC).astimezone()
        file = Path("exports") / f"video_data_{now:%Y-%m-%d_%H-%M-%S}.json"
        file.parent.mkdir(exist_ok=True)
    asyncio.run(late("videoflix.up.backup:export_videos")(file))


main.add_command(export_videos, "export_video_data")
