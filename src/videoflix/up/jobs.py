"""`videoflix jobs`: the job monitor in a terminal."""

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from videoflix import worker
from videoflix.monitor.schemas import JobShown, QueueCount, ScheduleShown, WorkerSeen
from videoflix.monitor.service import Monitor
from videoflix.monitor.service import cancel as cancel_and_tell
from videoflix.platform.db import transaction
from videoflix.platform.web import BIGINT_MAX
from videoflix.up.admin import errors_as_sentences

__all__ = ["cancel", "retry", "run", "show", "worker"]  # worker.py knows handlers and schedules

QUEUE_HEADINGS = (
    "Queue", "Waiting", "Scheduled", "Running", "Stalled", "Failed", "Oldest waits",
    "Done 1 h", "Failed 1 h", "Rescued", "Fenced", "Unknown",
)  # fmt: skip
MINUTES_ABOUT = 120.0


async def show() -> None:
    """Print queues, workers, schedules and dead letters. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            monitor = Monitor(session)
            seen = await monitor.snapshot()
            letters = await monitor.dead_letters()
    console = Console(highlight=False)
    console.print(_queues(seen.queues))
    console.print(f"Done in the last hour: {sum(seen.throughput)}")
    console.print(_workers(seen.workers))
    console.print(_schedules(seen.schedules))
    if letters:
        console.print(_dead_letters(letters))
        console.print("Try one again: videoflix jobs retry ID")


async def retry(job_id: int) -> None:
    """Give a dead letter all its attempts again. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            await Monitor(session).retry_job(job_id, by=None)


async def cancel(job_id: int) -> None:
    """Cancel a waiting or running job, and tell whoever waits for it. Raises ClickException."""
    with errors_as_sentences():
        await cancel_and_tell(job_id, by=None)


async def run(job: str) -> None:
    """Run a waiting job (its number) or a scheduled kind (its name) now. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            if job.isdecimal() and int(job) <= BIGINT_MAX:
                await Monitor(session).run_job(int(job), by=None)
            else:
                await Monitor(session).run_schedule(job, by=None)


def _queues(queues: list[QueueCount]) -> Table:
    table = Table(title="Queues", title_justify="left")
    for heading in QUEUE_HEADINGS:
        table.add_column(heading, justify="left" if heading == "Queue" else "right")
    for queue in queues:
        table.add_row(
            queue.queue,
            str(queue.todo),
            str(queue.scheduled),
            str(queue.doing),
            str(queue.stalled),
            str(queue.failed),
            span(queue.oldest_seconds) if queue.todo else "",
            str(queue.done_last_hour),
            str(queue.failed_last_hour),
            str(queue.rescued),
            str(queue.fenced),
            str(queue.unknown),
        )
    return table


def _workers(workers: list[WorkerSeen]) -> Table:
    table = Table(
        "Worker", "State", "Last sign of life", "Jobs", title="Workers", title_justify="left"
    )
    for seen in workers:
        state = "alive" if seen.alive else "silent"
        jobs = ", ".join(map(str, seen.jobs))
        table.add_row(str(seen.id), state, f"{span(seen.silent_seconds)} ago", jobs)
    return table


def _schedules(schedules: list[ScheduleShown]) -> Table:
    table = Table("Job", "When", "Last run", "Next run", title="Schedules", title_justify="left")
    now = datetime.now(UTC)
    for one in schedules:
        last = f"{span((now - one.last_run).total_seconds())} ago" if one.last_run else ""
        soon = f"in {span((one.next_run - now).total_seconds())}"
        table.add_row(one.kind, one.expression, last, soon)
    return table


def _dead_letters(letters: list[JobShown]) -> Table:
    table = Table("ID", "Job", "Attempts", "Why", title="Dead letters", title_justify="left")
    for letter in letters:
        fields = ", ".join(f"{name}={value}" for name, value in letter.payload.items())
        job = f"{letter.kind}({fields})"
        table.add_row(str(letter.id), job, str(letter.attempts), letter.reason)
    return table


def span(seconds: float) -> str:
    """A stretch of time for people: 45 s, 12 min, 3 h, 2 d."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= max(size, MINUTES_ABOUT):
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
