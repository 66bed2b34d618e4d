"""What providers answered: fresh for a while, then good enough while a new answer is fetched.

Three places are asked in turn: this process, Postgres, the provider. Equal questions of one process
wait for one answer; of all processes one asks the provider, by a claim on the answer's row.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from videoflix.movies.providers.provider import ProviderFailed, QueryRejected
from videoflix.movies.repository import AnswerRepository
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.session import transaction
from videoflix.settings import settings

FRESH_SECONDS = 15 * 60.0
STALE_SECONDS = 24 * 3600.0
MAX_ENTRIES = 1_000
POLL_SECONDS = 0.1

Kind = TypeVar("Kind")
# Asks a provider: all that was learnt, by its question, the answer to this one among it.
Fetch = Callable[[], Awaitable[Mapping[str, object]]]

logger = logging.getLogger(__name__)


class CachedAnswer(NamedTuple):
    """An answer, and when it was given by this process's clock."""

    value: Any
    at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.at

    @property
    def is_fresh(self) -> bool:
        return self.age < FRESH_SECONDS


class AnswerCache:
    """Answers by question."""

    def __init__(self) -> None:
        self._kept: LruCache[str, CachedAnswer] = LruCache("movie answers", MAX_ENTRIES)
        self._flights: dict[str, asyncio.Task[Any]] = {}

    async def get_or_fetch(self, question: str, kind: Any, fetch: Fetch) -> CachedAnswer:
        """The answer to a question; an old one when there is no new one. Raises ProviderFailed."""
        kept = self._kept.get(question)
        if kept is not None and kept.is_fresh:
            return kept
        flight = self._run_once(question, lambda: self._look_up(question, kind, fetch))
        # Who leaves does not take the answer from the others.
        found: CachedAnswer = await asyncio.shield(flight)
        return found

    def clear(self) -> None:
        """Forget what this process knows."""
        self._kept.clear()

    async def _look_up(self, question: str, kind: Any, fetch: Fetch) -> CachedAnswer:
        until = time.monotonic() + settings.movies_timeout_seconds
        while True:
            known, is_ours = await self._find(question, kind)
            if known is not None and not known.is_fresh:
                if is_ours:
                    self._run_once(f"refresh {question}", lambda: self._refresh(question, fetch))
                return known
            if known is not None:
                return self._put(question, known)
            if is_ours:
                return await self._fetch(question, fetch)
            if time.monotonic() > until:
                raise ProviderFailed("another process has been asking for too long")
            await asyncio.sleep(POLL_SECONDS)

    async def _find(self, question: str, kind: Any) -> tuple[CachedAnswer | None, bool]:
        """What Postgres knows; and whether, if that is not enough, we are to ask the provider."""
        key = cache_key(question)
        span = timedelta(seconds=2 * settings.movies_timeout_seconds)
        fresh = timedelta(seconds=FRESH_SECONDS)
        async with transaction() as session:
            answers = AnswerRepository(session)
            found = await answers.get(key)
            known = None
            if found is not None and found.payload and found.age < STALE_SECONDS:
                known = _decoded(found.payload, kind, found.age)
                if known is not None and known.is_fresh:
                    return known, False
                fresh = fresh if known else timedelta()  # a fresh answer we cannot read is none
            return known, await answers.claim(key, span, fresh)

    async def _fetch(self, question: str, fetch: Fetch) -> CachedAnswer:
        """Ask the provider, for all processes."""
        try:
            learnt = await fetch()
        except BaseException:
            async with transaction() as session:
                await AnswerRepository(session).release(cache_key(question))
            raise
        payloads = {cache_key(name): msgspec.json.encode(learnt[name]).decode() for name in learnt}
        async with transaction() as session:
            await AnswerRepository(session).put(payloads)
        now = time.monotonic()
        answers = {name: CachedAnswer(value, now) for name, value in learnt.items()}
        self._kept.update(answers)
        return answers[question]

    async def _refresh(self, question: str, fetch: Fetch) -> None:
        try:
            await self._fetch(question, fetch)
        except (ProviderFailed, QueryRejected) as error:
            logger.info("an old answer stays in use (%s)", error)

    def _run_once(
        self, name: str, work: Callable[[], Coroutine[Any, Any, Any]]
    ) -> asyncio.Task[Any]:
        """Begin something, unless it is under way."""
        flight = self._flights.get(name)
        if flight is None:
            flight = asyncio.create_task(work())
            self._flights[name] = flight
            flight.add_done_callback(lambda _: self._flights.pop(name))
        return flight

    def _put(self, question: str, answer: CachedAnswer) -> CachedAnswer:
        self._kept[question] = answer
        return answer


def _decoded(payload: str, kind: Any, age: float) -> CachedAnswer | None:
    """None for what another version of the program wrote."""
    try:
        value = msgspec.json.decode(payload, type=kind)
    except msgspec.MsgspecError:
        return None
    return CachedAnswer(value, time.monotonic() - age)


def cache_key(question: str) -> str:
    """Hashed: of any length, and no list of what people search for."""
    return hashlib.sha256(question.encode()).hexdigest()


answer_cache = AnswerCache()
