"""Forgetting what providers answered."""

import logging
from datetime import timedelta

from videoflix.movies.repository import AnswerRepository
from videoflix.movies.schemas import SweepMovieAnswers
from videoflix.movies.service.answer_cache import STALE_SECONDS
from videoflix.platform.queue import complete_job, handles, schedule

logger = logging.getLogger(__name__)

schedule("35 * * * *", SweepMovieAnswers())


@handles(SweepMovieAnswers)
async def sweep_movie_answers(job: SweepMovieAnswers) -> None:
    async with complete_job() as session:
        gone = await AnswerRepository(session).sweep(timedelta(seconds=STALE_SECONDS))
    if gone:
        logger.info("deleted %d cached answers about movies", gone)
