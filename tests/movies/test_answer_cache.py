"""What providers answered is remembered: fresh, then stale, once for all who ask."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar

from conftest import PASSWORD, http_client
from movies.conftest import SECONDS, FakeProvider
from movies.provider import MOVIES
from queue_helpers import execute, rows, run_jobs
from videoflix.accounts.service import Accounts
from videoflix.movies.repository import AnswerRepository
from videoflix.movies.service import search
from videoflix.movies.service.answer_cache import AnswerCache, answer_cache
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import enqueue
from videoflix.platform.retention import DeleteExpired
from videoflix.sessions.service.sessions import Sessions
from videoflix.worker import queue

SEARCH = "/api/v1/movies"
WARNING = '110 - "Response is Stale"'


@pytest.fixture
async def person(app: Litestar, committed: None) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody whose requests have connections of their own."""
    async with transaction() as session:
        user = await Accounts(session).create_user(email="ada@example.org", password=PASSWORD)
        pair = await Sessions(session).open(user)
    async with http_client(app, {"Authorization": f"Bearer {pair.access}"}) as client:
        yield client


async def pass_minutes(minutes: int) -> None:
    """As if that time had passed, for this process and for all."""
    answer_cache.clear()
    await execute(
        "update movie_answer set fetched_at = fetched_at - cast(:span as interval)",
        span=timedelta(minutes=minutes),
    )


async def refreshed() -> None:
    """Until what happens in the background is done."""
    await asyncio.gather(*answer_cache._flights.values())


async def test_answer_is_asked_once(provider: FakeProvider, person: httpx.AsyncClient) -> None:
    first = (await person.get(f"{SEARCH}?query=avatar")).json()
    provider.be("broken")
    assert (await person.get(f"{SEARCH}?query=avatar")).json() == first
    answer_cache.clear()
    assert (await person.get(f"{SEARCH}?query=avatar")).json() == first, "from Postgres"
    await pass_minutes(14)
    assert (await person.get(f"{SEARCH}?query=%20avatar%20")).json()["stale"] is False
    assert provider.asked() == 1


async def test_equal_questions_at_once_are_one(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    provider.be("tardy")
    asked = [person.get(f"{SEARCH}?query=avatar") for _ in range(100)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200}
    assert provider.asked() == 1


async def test_failure_is_shared_too(provider: FakeProvider, person: httpx.AsyncClient) -> None:
    provider.be("slow")
    asked = [person.get(f"{SEARCH}?query=avatar") for _ in range(20)]
    answers = await asyncio.wait_for(asyncio.gather(*asked), 3 * SECONDS)
    assert {answer.status_code for answer in answers} == {503}
    assert provider.asked() <= 2, "one question and its second try"


async def test_who_leaves_does_not_take_the_answer_along(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    provider.be("tardy")
    leaving = asyncio.create_task(person.get(f"{SEARCH}?query=avatar"))
    staying = asyncio.create_task(person.get(f"{SEARCH}?query=avatar"))
    await asyncio.sleep(0.15)
    leaving.cancel()
    assert (await staying).status_code == 200
    assert provider.asked() == 1


async def test_old_answer_is_given_while_a_new_one_is_fetched(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    first = (await person.get(f"{SEARCH}?query=avatar")).json()
    await pass_minutes(16)
    provider.be("tardy")
    answers = await asyncio.gather(*[person.get(f"{SEARCH}?query=avatar") for _ in range(10)])
    for answer in answers:
        assert answer.headers["warning"] == WARNING
        assert answer.json() == first | {"stale": True}
    await refreshed()
    fresh = await person.get(f"{SEARCH}?query=avatar")
    assert (fresh.json()["stale"], "warning" in fresh.headers) == (False, False)
    assert provider.asked() == 2


async def test_old_answers_outlast_an_outage_of_a_day(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    first = (await person.get(f"{SEARCH}?query=avatar")).json()
    single = f"{SEARCH}/{first['results'][0]['id']}"
    provider.stop()
    await pass_minutes(23 * 60)
    for path in (f"{SEARCH}?query=avatar", single):
        answer = await person.get(path)
        assert (answer.status_code, answer.json()["stale"]) == (200, True)
        assert answer.headers["warning"] == WARNING
        await refreshed()
    await pass_minutes(61)
    assert (await person.get(f"{SEARCH}?query=avatar")).status_code == 503


async def test_two_processes_ask_once(
    provider: FakeProvider, person: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.be("tardy")
    mine = asyncio.create_task(person.get(f"{SEARCH}?query=avatar"))
    await asyncio.sleep(0.15)
    monkeypatch.setattr(search, "answer_cache", AnswerCache())  # what another process knows
    assert (await person.get(f"{SEARCH}?query=avatar")).status_code == 200
    assert (await mine).status_code == 200
    assert provider.asked() == 1


async def test_what_was_answered_since_we_looked_is_not_asked_again(committed: None) -> None:
    minute = timedelta(minutes=1)
    async with transaction() as session:
        answers = AnswerRepository(session)
        assert await answers.get("a question") is None
        await answers.put({"a question": "{}"})
    async with transaction() as session:
        answers = AnswerRepository(session)
        assert not await answers.claim("a question", span=minute, fresh=minute)
        assert await answers.claim("a question", span=minute, fresh=timedelta())


async def test_claim_of_a_dead_process_ends(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    await person.get(f"{SEARCH}?query=avatar")
    await execute("update movie_answer set payload = null, claimed_until = now() + interval '1 h'")
    answer_cache.clear()
    waited = await asyncio.wait_for(person.get(f"{SEARCH}?query=avatar"), 3 * SECONDS)
    assert waited.status_code == 503
    await execute("update movie_answer set claimed_until = now() - interval '1 s'")
    assert (await person.get(f"{SEARCH}?query=avatar")).status_code == 200


async def test_what_another_version_wrote_is_asked_again(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    await person.get(f"{SEARCH}?query=avatar")
    await execute('update movie_answer set payload = \'{"of": "old"}\'')
    answer_cache.clear()
    assert (await person.get(f"{SEARCH}?query=avatar")).json()["count"] == 16
    assert provider.asked() == 2


async def test_answers_of_a_day_ago_are_swept(
    provider: FakeProvider, person: httpx.AsyncClient
) -> None:
    await person.get(f"{SEARCH}?query=avatar")
    await pass_minutes(24 * 60 + 1)
    await person.get(f"{SEARCH}/{MOVIES[0]['id']}")
    async with transaction() as session:
        await AnswerRepository(session).claim("nobody", timedelta(seconds=1), timedelta())
    await execute(
        "update movie_answer set fetched_at = now() - interval '2 h' where payload is null"
    )
    async with transaction() as session:
        await enqueue(session, DeleteExpired())
    async with queue.open_async():
        await run_jobs(queue_name="maintenance")
    (left,) = await rows("select count(*) as n, count(payload) as said from movie_answer")
    assert left == {"n": 1, "said": 1}


async def test_answers_are_kept_without_a_log(committed: None) -> None:
    kind = "select relpersistence::text as kept from pg_class where relname = 'movie_answer'"
    assert await rows(kind) == [{"kept": "u"}]
