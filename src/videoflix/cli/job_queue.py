"""`videoflix jobs`."""

import asyncio

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Show the job queue and the workers."""
    if context.invoked_subcommand is None:
        asyncio.run(late("videoflix.up.jobs:show")())


@jobs.command("retry")
@click.argument("job_id", type=click.IntRange(1))
def retry_job(job_id: int) -> None:
    """Retry a failed or cancelled job with all its attempts."""
    asyncio.run(late("videoflix.up.jobs:retry")(job_id))
    click.echo(f"Job {job_id} is queued.")


@jobs.command("cancel")
@click.argument("job_id", type=click.IntRange(1))
def cancel_job(job_id: int) -> None:
    """Cancel a job; a running one is stopped by its worker."""
    asyncio.run(late("videoflix.up.jobs:cancel")(job_id))
    click.echo(f"Job {job_id} is cancelled.")


@jobs.command("run")
@click.argument("job", type=str)
def run_job(job: str) -> None:
    """Run a scheduled job now, by its id or by the name of its schedule."""
    asyncio.run(late("videoflix.up.jobs:run")(job))
    click.echo(f"{job} is queued.")
