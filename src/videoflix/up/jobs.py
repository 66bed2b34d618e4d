"""`videoflix jobs`: the job monitor in a terminal."""

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from videoflix import worker
from videoflix.job_monitor.schemas import JobRead, QueueCount, ScheduleRead, WorkerRead
from videoflix.job_monitor.service import JobMonitor
from videoflix.job_monitor.service import cancel as cancel_and_tell
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.postgres.session import transaction
from videoflix.up.admin import errors_as_sentences

__all__ = ["cancel", "retry", "run", "show", "worker"]  # worker.py registers handlers and schedules

QUEUE_HEADINGS = (
    "Queue", "Waiting", "Oldest", "Later", "Running", "Stalled", "Failed", "Done/h", "Incidents",
)  # fmt: skip
MINUTES_ABOUT = 120.0


async def show() -> None:
    """Print queues, workers, schedules and dead letters. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            job_monitor = JobMonitor(session)
            seen = await job_monitor.snapshot()
            letters = await job_monitor.dead_letters()
    console = Console(highlight=False)
    console.print(_queues(seen.queues))
    console.print(_workers(seen.workers))
    console.print(_schedules(seen.schedules))
    if letters:
        console.print(_dead_letters(letters))
        console.print("To retry a job: videoflix jobs retry ID")


async def retry(job_id: int) -> None:
    """Retry a failed or cancelled job. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            await JobMonitor(session).retry_job(job_id, by=None)


async def cancel(job_id: int) -> None:
    """Cancel a queued or running job. Raises ClickException."""
    with errors_as_sentences():
        await cancel_and_tell(job_id, by=None)


async def run(job: str) -> None:
    """Run a queued job (by id) or a schedule (by name) now. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            if job.isdecimal() and int(job) <= BIGINT_MAX:
                await JobMonitor(session).run_job(int(job), by=None)
            else:
                await JobMonitor(session).run_schedule(job, by=None)


def _queues(queues: list[QueueCount]) -> Table:
    table = titled("Queues")
    for heading in QUEUE_HEADINGS:
        is_text = heading in {"Queue", "Incidents"}
        table.add_column(
            heading, justify="left" if is_text else "right", no_wrap=heading == "Queue"
        )
    for queue in queues:
        table.add_row(
            queue.queue,
            str(queue.todo),
            span(queue.oldest_seconds) if queue.todo else "",
            str(queue.scheduled),
            str(queue.doing),
            str(queue.stalled),
            str(queue.failed),
            str(queue.done_last_hour),
            _incidents(queue),
        )
    return table


def _incidents(queue: QueueCount) -> str:
    """Incidents of the last day that did not fail a job."""
    counts = {"recovered": queue.rescued, "superseded": queue.fenced, "unknown": queue.unknown}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def _workers(workers: list[WorkerRead]) -> Table:
    table = titled("Workers", "Worker", "State", "Last seen", "Jobs")
    for seen in workers:
        state = "alive" if seen.alive else "lost"
        jobs = ", ".join(map(str, seen.jobs))
        table.add_row(str(seen.id), state, f"{span(seen.silent_seconds)} ago", jobs)
    return table


def _schedules(schedules: list[ScheduleRead]) -> Table:
    table = titled("Schedules", "Job", "When", "Last run", "Next run")
    now = datetime.now(UTC)
    for one in schedules:
        last = f"{span((now - one.last_run).total_seconds())} ago" if one.last_run else ""
        soon = f"in {span((one.next_run - now).total_seconds())}"
        table.add_row(one.kind, one.expression, last, soon)
    return table


def _dead_letters(letters: list[JobRead]) -> Table:
    table = titled("Failed jobs", "ID", "Job", "Attempts", "Reason")
    for letter in letters:
        fields = ", ".join(f"{name}={value}" for name, value in letter.payload.items())
        job = f"{letter.kind}({fields})"
        table.add_row(str(letter.id), job, str(letter.attempts), letter.reason)
    return table


def titled(title: str, *headings: str) -> Table:
    """A table without borders, for terminals of any width."""
    table = Table(*headings, title=f"\n{title}", title_justify="left", box=None)
    table.title_style = "bold"
    return table


def span(seconds: float) -> str:
    """Format a duration: 45 s, 12 min, 3 h, 2 d."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= max(size, MINUTES_ABOUT):
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
