"""`videoflix media fsck`: prints the findings of the comparison of rows and objects."""

import asyncio
import sys
from contextlib import nullcontext
from datetime import timedelta

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.exc import SQLAlchemyError

from videoflix.media.inventory import Inventory
from videoflix.media.service.fsck import Finding, Fsck, Options, Summary
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Problem
from videoflix.platform.storage.installation import adopt_storage
from videoflix.up.admin import errors_as_sentences

CLEAN, FOUND, NOT_CHECKED = 0, 1, 2

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def run(*, repair: bool, read_all: bool, grace_hours: float, as_json: bool) -> int:
    """The exit status: 0 clean, 1 findings, 2 not checked."""
    options = Options(repair=repair, read_all=read_all, grace=timedelta(hours=grace_hours))
    try:
        summary = asyncio.run(_check(options, as_json=as_json))
    except (Problem, SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        errors.print(f"Could not check: {str(error).splitlines()[0]}", markup=False)
        return NOT_CHECKED
    return FOUND if summary.findings else CLEAN


async def adopt() -> str:
    """Pair database and storage. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            storage_id = await adopt_storage(session)
    return f"Database and storage are now paired as installation {storage_id}."


async def _check(options: Options, *, as_json: bool) -> Summary:
    async with transaction() as session:
        total = await Inventory(session).count()
    if as_json:
        return await _as_json(options)
    bar = Progress(
        TextColumn("Assets"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[objects]} objects"),
        console=errors,
        disable=not errors.is_terminal,
    )
    with bar if errors.is_terminal else nullcontext():
        task = bar.add_task("", total=total, objects=0)
        summary = await Fsck(
            options,
            _print,
            lambda now: bar.update(task, completed=now.assets, objects=now.objects),
        ).run()
    _sum_up(summary, options)
    return summary


async def _as_json(options: Options) -> Summary:
    """Stream one JSON document, so that memory use is bounded."""
    separator = ""

    def report(finding: Finding) -> None:
        nonlocal separator
        sys.stdout.write(f"{separator}\n  {msgspec.json.encode(finding).decode()}")
        separator = ","

    check = Fsck(options, report, lambda _: None)
    await check.prepare()
    sys.stdout.write('{"findings": [')
    summary = await check.run()
    sys.stdout.write(f'\n], "summary": {msgspec.json.encode(summary).decode()}}}\n')
    return summary


def _print(finding: Finding) -> None:
    video = f" (video {finding.video_id})" if finding.video_id else ""
    what = f"{finding.role}: " if finding.role else ""
    repair = f"; {finding.repair}" if finding.repair else ""
    console.print(
        f"{finding.fault}  {finding.key}{video}  {what}{finding.detail}{repair}", markup=False
    )


def _sum_up(summary: Summary, options: Options) -> None:
    console.print(
        f"{summary.assets} assets, {summary.objects} objects, {summary.bytes} bytes;"
        f" {summary.verified} hashes compared, {summary.unverified} not;"
        f" {summary.findings} findings, {summary.repaired} repaired."
    )
    if summary.findings > summary.repaired and not options.repair:
        console.print("Run again with --repair to recreate what can be derived from sources.")
