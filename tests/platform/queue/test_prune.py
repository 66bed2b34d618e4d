"""Jobs that ended long ago are forgotten."""

from queue_helpers import Behaviour, execute, rows
from videoflix.platform.queue.prune import PruneJobs, prune

FINISHED = """
insert into procrastinate_jobs (queue_name, task_name, status)
values ('counting', :label, cast(:status as procrastinate_job_status))
"""
LONG_AGO = """
insert into procrastinate_events (job_id, type, at)
select max(id), 'deferred', now() - make_interval(hours => :hours) from procrastinate_jobs
"""


async def test_what_ended_lately_is_kept(behaviour: Behaviour) -> None:
    for label, status, hours in (
        ("done lately", "succeeded", 23),
        ("done long ago", "succeeded", 25),
        ("cancelled long ago", "cancelled", 25),
        ("dead lately", "failed", 29 * 24),
        ("dead long ago", "failed", 31 * 24),
        ("waits for ever", "todo", 400 * 24),
    ):
        await execute(FINISHED, label=label, status=status)
        await execute(LONG_AGO, hours=hours)
    await prune(PruneJobs())
    left = await rows("select task_name from procrastinate_jobs order by id")
    assert [row["task_name"] for row in left] == ["done lately", "dead lately", "waits for ever"]
