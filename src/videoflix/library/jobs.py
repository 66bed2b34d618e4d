"""Jobs of the library: popularity and partitions of views."""

import logging

from videoflix.library.schemas import CountViews
from videoflix.library.service import Views
from videoflix.platform.queue import complete_job, handles

logger = logging.getLogger(__name__)


@handles(CountViews)
async def count_views(job: CountViews) -> None:
    async with complete_job() as session:
        changed = await Views(session).roll_up()
    logger.info("updated the popularity of %d videos", changed)
