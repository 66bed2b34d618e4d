"""`videoflix import-from`."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from videoflix.importers.schemas import PLURALS, Kind, KindReport, Site
from videoflix.importers.service import import_site
from videoflix.up.admin import errors_as_sentences

console = Console(highlight=False, soft_wrap=True)


async def import_from(site: str, source: str, media: Path | None, dry_run: bool) -> None:
    """Import an older backend's data, and print the report. Raises ClickException."""
    with errors_as_sentences(), Progress(console=console, transient=True) as bar:
        task = bar.add_task("Reading" if dry_run else "Importing", total=None)
        reports = await import_site(
            Site(site),
            source,
            media=media,
            dry_run=dry_run,
            progress=lambda done, total: bar.update(task, advance=done, total=total),
        )
    _print(reports)
    if dry_run:
        console.print("Nothing was changed: this was a trial run.")
    elif reports[Kind.VIDEO].added:
        console.print("The workers encode the films now: see `videoflix videos status`.")


def _print(reports: dict[Kind, KindReport]) -> None:
    table = Table("", "added", "here already", "left out", box=None)
    for kind, report in reports.items():
        numbers = (report.added, report.known, report.left_out)
        if any(numbers):
            table.add_row(PLURALS.get(kind, f"{kind}s"), *map(str, numbers))
    console.print(table)
    for kind, report in reports.items():
        for sentence, count in report.problems.items():
            which = ", ".join(report.examples[sentence])
            more = " …" if count > len(report.examples[sentence]) else ""
            console.print(f"{count} × {kind} {sentence}: {which}{more}")
