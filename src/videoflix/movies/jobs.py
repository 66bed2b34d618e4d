"""Retention of cached responses of providers."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.movies.repository import AnswerRepository
from videoflix.movies.service.answer_cache import STALE_SECONDS
from videoflix.platform.retention import retention


@retention("cached answers about movies", kept="a day")
async def delete_answers(session: AsyncSession) -> int:
    return await AnswerRepository(session).sweep(timedelta(seconds=STALE_SECONDS))
