"""`videoflix jobs`: look, retry, cancel."""

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner, Result

from factories import PROCESSING, AssetFactory, VideoFactory, create
from queue_helpers import execute, rows, states
from videoflix.cli import main
from videoflix.media.payloads import Inspect
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import enqueue

DEAD_LETTER = """
with dead as (
    update procrastinate_jobs set status = 'failed', attempts = 5
    returning id, queue_name, task_name
)
insert into job_incident
    (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
select 'dead', id, queue_name, task_name, 4, 'ProcessFailed: ffmpeg ended with 1', now(), now()
from dead
"""


def videoflix(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "140"}).invoke(main, ["jobs", *arguments])


async def add_film() -> None:
    async with transaction() as session:
        video = await create(session, VideoFactory, **PROCESSING)
        asset = await create(session, AssetFactory, video_id=video.id)
        await enqueue(session, Inspect(asset_id=asset.id))


def run(work: Any) -> Any:
    return asyncio.run(work)


@pytest.fixture
def job(committed: None) -> str:
    """The inspection a film waits for: the job's id."""
    run(add_film())
    [found] = run(rows("select id from procrastinate_jobs"))
    return str(found["id"])


def test_dead_letter_is_shown_and_tried_again(job: str) -> None:
    run(execute(DEAD_LETTER))
    shown = videoflix()
    assert shown.exit_code == 0, shown.output
    assert "media.inspect(asset_id=" in shown.output
    assert "ProcessFailed: ffmpeg ended with 1" in shown.output
    assert "videoflix jobs retry" in shown.output
    assert videoflix("retry", job).exit_code == 0
    assert run(states()) == [("todo", 0)]


def test_who_waits_for_a_cancelled_job_is_told(job: str) -> None:
    assert videoflix("cancel", job).exit_code == 0
    assert run(states())[0] == ("cancelled", 0)
    [video] = run(rows("select state, failure_code from video"))
    assert video == {"state": "failed", "failure_code": "encoding-cancelled"}


def test_job_that_cannot_be_helped_is_named(job: str) -> None:
    for arguments in (["retry", job], ["retry", "999999"], ["cancel", "999999"]):
        done = videoflix(*arguments)
        assert done.exit_code == 1
        assert "No such job" in done.output


def test_job_is_not_doubled_by_a_retry(job: str) -> None:
    run(execute("update procrastinate_jobs set status = 'failed', queueing_lock = 'one'"))
    run(
        execute(
            "insert into procrastinate_jobs (queue_name, task_name, queueing_lock)"
            " values ('transcode', 'media.inspect', 'one')"
        )
    )
    done = videoflix("retry", job)
    assert done.exit_code == 1
    assert "The same job is already queued" in done.output


def test_waiting_and_scheduled_jobs_are_run_now(job: str) -> None:
    run(execute("update procrastinate_jobs set scheduled_at = now() + interval '1 day'"))
    assert videoflix("run", job).exit_code == 0
    assert run(rows("select 1 from procrastinate_jobs where scheduled_at is not null")) == []
    assert videoflix("run", "queue.prune").exit_code == 0
    again = videoflix("run", "queue.prune")
    assert again.exit_code == 1
    assert "The same job is already queued" in again.output
    for unknown in ("nothing.such", "9" * 30):
        assert "There is no schedule for this job" in videoflix("run", unknown).output


def test_workers_and_schedules_are_shown(job: str) -> None:
    run(execute("insert into procrastinate_workers (last_heartbeat) values (now())"))
    shown = videoflix().output
    for part in ("transcode", "Stalled", "alive", "queue.prune", "17 * * * *", "in "):
        assert part in shown


def test_failed_film_is_retried_from_the_terminal(job: str) -> None:
    def media(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["media", "retry", *arguments])

    [film] = run(rows("select id from video"))
    for arguments in ([str(film["id"])], ["--all-failed"]):
        run(execute("update media_asset set state = 'failed', failure_code = 'encoding-failed'"))
        run(execute("update video set state = 'failed', failure_code = 'encoding-failed'"))
        run(execute("delete from procrastinate_jobs"))
        done = media(*arguments)
        assert (done.exit_code, done.output) == (0, "1 film queued.\n")
        assert run(states()) == [("todo", 0)]
        found = run(rows("select state, failure_code from video"))
        assert found == [{"state": "processing", "failure_code": None}]
    assert media("--all-failed").output == "0 films queued.\n"
    assert media().exit_code == 2
    assert media("999999").exit_code == 1
