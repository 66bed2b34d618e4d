"""`videoflix jobs`: the queue in a terminal."""

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from videoflix import worker
from videoflix.operations.schemas import DeadLetter, QueueCount, WorkerSeen
from videoflix.operations.service import Operations
from videoflix.platform.db import transaction
from videoflix.platform.queue import JobCancelled
from videoflix.platform.queue.registry import say_last_words
from videoflix.up.admin import errors_as_sentences

__all__ = ["cancel", "retry", "show", "worker"]  # worker.py knows every job's handler

HEADINGS = (
    "Queue", "Waiting", "Running", "Failed", "Oldest waits", "Rescued", "Fenced", "Unknown",
)  # fmt: skip


async def show() -> None:
    """Print queues, workers and dead letters. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            operations = Operations(session)
            overview = await operations.overview()
            letters = await operations.dead_letters()
    console = Console(highlight=False)
    console.print(_queues(overview.queues))
    console.print(_workers(overview.workers))
    if letters:
        console.print(_dead_letters(letters))
        console.print("Try one again: videoflix jobs retry ID")


async def retry(job_id: int) -> None:
    """Give a dead letter all its attempts again. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            await Operations(session).retry_job(job_id)


async def cancel(job_id: int) -> None:
    """Cancel a waiting or running job, and tell whoever waits for it. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            cancelled = await Operations(session).cancel_job(job_id)
        if cancelled:
            await say_last_words(cancelled.task, cancelled.payload, JobCancelled())


def _queues(queues: list[QueueCount]) -> Table:
    table = Table(title="Queues", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "Queue" else "right")
    for queue in queues:
        table.add_row(
            queue.queue,
            str(queue.todo),
            str(queue.doing),
            str(queue.failed),
            f"{queue.oldest_seconds:.0f} s" if queue.todo else "",
            str(queue.rescued),
            str(queue.fenced),
            str(queue.unknown),
        )
    return table


def _workers(workers: list[WorkerSeen]) -> Table:
    table = Table("Worker", "Last sign of life", title="Workers", title_justify="left")
    for seen in workers:
        ago = (datetime.now(UTC) - seen.last_heartbeat).total_seconds()
        table.add_row(str(seen.id), f"{max(ago, 0):.0f} s ago")
    return table


def _dead_letters(letters: list[DeadLetter]) -> Table:
    table = Table("ID", "Job", "Attempts", "Why", title="Dead letters", title_justify="left")
    for letter in letters:
        fields = ", ".join(f"{name}={value}" for name, value in letter.payload.items())
        job = f"{letter.task}({fields})"
        table.add_row(str(letter.id), job, str(letter.attempts), letter.reason)
    return table
