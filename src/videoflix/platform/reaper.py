"""Takes jobs back from workers that died, in every worker, beside its jobs.

A killed worker cannot say that its job ended; its missing heartbeat does. The job goes back to
the queue, or to the failed ones when it has used up its attempts (then it probably killed the
worker).
"""

import asyncio
import logging

from procrastinate.exceptions import ConnectorException

from videoflix.platform.queue import STALLED_SECONDS, give_up, queue

REAP_SECONDS = 10.0

logger = logging.getLogger(__name__)

TAKE_BACK = """
update procrastinate_jobs as job
set status = (case when job.attempts + 1 >= %(attempts)s then 'failed' else 'todo' end)
             ::procrastinate_job_status,
    attempts = job.attempts + 1,
    worker_id = null
from (
    select doing.id
    from procrastinate_jobs as doing
    left join procrastinate_workers as worker on worker.id = doing.worker_id
    where doing.status = 'doing'
      and (worker.id is null
           or worker.last_heartbeat < now() - make_interval(secs => %(stalled)s))
    for update of doing skip locked
) as orphan
where job.id = orphan.id
returning job.id, job.task_name, job.args, job.status::text as status
"""
ATTEMPTS = 5


async def reap_for_ever() -> None:
    """Look for orphaned jobs every ten seconds; a database that is away is waited for."""
    while True:
        try:
            await reap()
        except ConnectorException as error:
            logger.warning("cannot look for orphaned jobs: %s", error)
        await asyncio.sleep(REAP_SECONDS)


async def reap() -> int:
    """Take back the jobs of dead workers; how many there were."""
    orphans = await queue.connector.execute_query_all_async(
        TAKE_BACK, attempts=ATTEMPTS, stalled=STALLED_SECONDS
    )
    for orphan in orphans:
        logger.warning("job %s lost its worker: now %s", orphan["id"], orphan["status"])
        if orphan["status"] == "failed":
            await give_up(orphan["task_name"], orphan["args"], None)
    return len(orphans)
