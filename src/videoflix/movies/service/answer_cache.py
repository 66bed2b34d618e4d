"""Two-level cache of providers' responses, with stale-while-revalidate and single flight.

Lookups go to this process, then Postgres, then the provider. Concurrent equal lookups of a process
share one task; among processes, a claim on the row elects the one that queries the provider.
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
# Queries a provider; returns values by cache key, among them the requested one.
Fetch = Callable[[], Awaitable[Mapping[str, object]]]

logger = logging.getLogger(__name__)


class CachedAnswer(NamedTuple):
    """A value, and when it was fetched (monotonic clock)."""

    value: Any
    at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.at

    @property
    def is_fresh(self) -> bool:
        return self.age < FRESH_SECONDS


class AnswerCache:
    """Values by question, the readable form of the key."""

    def __init__(self) -> None:
        self._kept: LruCache[str, CachedAnswer] = LruCache("movie answers", MAX_ENTRIES)
        self._flights: dict[str, asyncio.Task[Any]] = {}

    async def get_or_fetch(self, question: str, kind: Any, fetch: Fetch) -> CachedAnswer:
        """Get a value, possibly stale, or fetch it. Raises ProviderFailed."""
        kept = self._kept.get(question)
        if kept is not None and kept.is_fresh:
            return kept
        flight = self._run_once(question, lambda: self._look_up(question, kind, fetch))
        # A cancelled request must not cancel the shared task.
        found: CachedAnswer = await asyncio.shield(flight)
        return found

    def clear(self) -> None:
        """Clear the cache of this process."""
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
                raise ProviderFailed("timed out waiting for another process")
            await asyncio.sleep(POLL_SECONDS)

    async def _find(self, question: str, kind: Any) -> tuple[CachedAnswer | None, bool]:
        """Read from Postgres; also return whether this process has claimed the fetch."""
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
                fresh = fresh if known else timedelta()  # an undecodable value counts as missing
            return known, await answers.claim(key, span, fresh)

    async def _fetch(self, question: str, fetch: Fetch) -> CachedAnswer:
        """Query the provider, and store the values for all processes."""
        try:
            values = await fetch()
        except BaseException:
            async with transaction() as session:
                await AnswerRepository(session).release(cache_key(question))
            raise
        payloads = {cache_key(name): msgspec.json.encode(values[name]).decode() for name in values}
        async with transaction() as session:
            await AnswerRepository(session).put(payloads)
        now = time.monotonic()
        answers = {name: CachedAnswer(value, now) for name, value in values.items()}
        self._kept.update(answers)
        return answers[question]

    async def _refresh(self, question: str, fetch: Fetch) -> None:
        try:
            await self._fetch(question, fetch)
        except (ProviderFailed, QueryRejected) as error:
            logger.info("serving a stale response (%s)", error)

    def _run_once(
        self, name: str, work: Callable[[], Coroutine[Any, Any, Any]]
    ) -> asyncio.Task[Any]:
        """Start a task, or return the running one of this name (single flight)."""
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
    """Decode a payload; None if it was written by an incompatible release."""
    try:
        value = msgspec.json.decode(payload, type=kind)
    except msgspec.MsgspecError:
        return None
    return CachedAnswer(value, time.monotonic() - age)


def cache_key(question: str) -> str:
    """Hash a question: bounded length, and search terms are not stored."""
    return hashlib.sha256(question.encode()).hexdigest()


answer_cache = AnswerCache()
