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

from videoflix.movies.providers.provider import ProviderFailed, QueryRefused
from videoflix.movies.repository import AnswerRepository
from videoflix.platform.postgres.session import transaction
from videoflix.platform.ttl import LruCache
from videoflix.settings import settings

FRESH_SECONDS = 15 * 60.0
STALE_SECONDS = 24 * 3600.0
KEPT = 1_000
LOOK_AGAIN_SECONDS = 0.1

Kind = TypeVar("Kind")
# Asks a provider: all that was learnt, by its question, the answer to this one among it.
Fetch = Callable[[], Awaitable[Mapping[str, object]]]

logger = logging.getLogger(__name__)


class Remembered(NamedTuple):
    """An answer, and when it was given by this process's clock."""

    value: Any
    at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.at

    @property
    def is_fresh(self) -> bool:
        return self.age < FRESH_SECONDS


class Memory:
    """Answers by question."""

    def __init__(self) -> None:
        self._kept: LruCache[str, Remembered] = LruCache("movie answers", KEPT)
        self._flights: dict[str, asyncio.Task[Any]] = {}

    async def recall(self, question: str, kind: Any, fetch: Fetch) -> Remembered:
        """The answer to a question; an old one when there is no new one. Raises ProviderFailed."""
        kept = self._kept.get(question)
        if kept is not None and kept.is_fresh:
            return kept
        flight = self._fly(question, lambda: self._look_up(question, kind, fetch))
        # Who leaves does not take the answer from the others.
        found: Remembered = await asyncio.shield(flight)
        return found

    def forget(self) -> None:
        """Forget what this process knows."""
        self._kept.clear()

    async def _look_up(self, question: str, kind: Any, fetch: Fetch) -> Remembered:
        until = time.monotonic() + settings.movies_timeout_seconds
        while True:
            known, is_ours = await self._find(question, kind)
            if known is not None and not known.is_fresh:
                if is_ours:
                    self._fly(f"refresh {question}", lambda: self._refresh(question, fetch))
                return known
            if known is not None:
                return self._keep(question, known)
            if is_ours:
                return await self._fetch(question, fetch)
            if time.monotonic() > until:
                raise ProviderFailed("another process has been asking for too long")
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _find(self, question: str, kind: Any) -> tuple[Remembered | None, bool]:
        """What Postgres knows; and whether, if that is not enough, we are to ask the provider."""
        key = key_of(question)
        span = timedelta(seconds=2 * settings.movies_timeout_seconds)
        fresh = timedelta(seconds=FRESH_SECONDS)
        async with transaction() as session:
            answers = AnswerRepository(session)
            found = await answers.find(key)
            known = None
            if found is not None and found.payload and found.age < STALE_SECONDS:
                known = _decoded(found.payload, kind, found.age)
                if known is not None and known.is_fresh:
                    return known, False
                fresh = fresh if known else timedelta()  # a fresh answer we cannot read is none
            return known, await answers.claim(key, span, fresh)

    async def _fetch(self, question: str, fetch: Fetch) -> Remembered:
        """Ask the provider, for all processes."""
        try:
            learnt = await fetch()
        except BaseException:
            async with transaction() as session:
                await AnswerRepository(session).release(key_of(question))
            raise
        payloads = {key_of(name): msgspec.json.encode(learnt[name]).decode() for name in learnt}
        async with transaction() as session:
            await AnswerRepository(session).keep(payloads)
        now = time.monotonic()
        answers = {name: Remembered(value, now) for name, value in learnt.items()}
        self._kept.update(answers)
        return answers[question]

    async def _refresh(self, question: str, fetch: Fetch) -> None:
        try:
            await self._fetch(question, fetch)
        except (ProviderFailed, QueryRefused) as error:
            logger.info("an old answer stays in use (%s)", error)

    def _fly(self, name: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        """Begin something, unless it is under way."""
        flight = self._flights.get(name)
        if flight is None:
            flight = asyncio.create_task(work())
            self._flights[name] = flight
            flight.add_done_callback(lambda _: self._flights.pop(name))
        return flight

    def _keep(self, question: str, answer: Remembered) -> Remembered:
        self._kept[question] = answer
        return answer


def _decoded(payload: str, kind: Any, age: float) -> Remembered | None:
    """None for what another version of the program wrote."""
    try:
        value = msgspec.json.decode(payload, type=kind)
    except msgspec.MsgspecError:
        return None
    return Remembered(value, time.monotonic() - age)


def key_of(question: str) -> str:
    """Hashed: of any length, and no list of what people search for."""
    return hashlib.sha256(question.encode()).hexdigest()


memory = Memory()
