"""A provider that is slow, broken, lying, huge, redirecting or gone costs nobody but itself."""

import asyncio
import time

import httpx
import pytest

from movies.conftest import IN_FLIGHT, SECONDS, FakeProvider
from movies.provider import LIES, MOVIES
from videoflix.movies import circuit_breaker as breakers
from videoflix.movies.providers import registry
from videoflix.movies.providers.november7 import November7
from videoflix.movies.providers.provider import ProviderFailed
from videoflix.profiles.schemas import ANONYMOUS

SEARCH = "/api/v1/movies"
BROKEN = ["broken", "garbage", "no-utf8", "deep", "endless", "huge", "hanging-up", "gzipped"]
# As much as a busy machine may take beyond the time-out.
SLACK = 2.5


async def fails(viewer: httpx.AsyncClient, query: str = "a") -> httpx.Response:
    begun = time.monotonic()
    answer = await viewer.get(SEARCH, params={"query": query})
    assert time.monotonic() - begun < SECONDS + SLACK, "never beyond the time-out"
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "/problems/movies-provider-unavailable"
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    return answer


@pytest.mark.parametrize("mode", [*BROKEN, *LIES])
async def test_broken_and_lying_provider_is_unavailable(
    provider: FakeProvider, viewer: httpx.AsyncClient, mode: str
) -> None:
    provider.be(mode)
    await fails(viewer)
    single = await viewer.get(f"{SEARCH}/{MOVIES[0]['id']}")
    assert single.status_code == 503
    provider.be("well")
    assert (await viewer.get(f"{SEARCH}?query=a")).status_code == 200, "it heals at once"


@pytest.mark.parametrize("mode", ["slow", "dripping"])
async def test_slow_provider_ends_at_the_time_out(
    provider: FakeProvider, viewer: httpx.AsyncClient, mode: str
) -> None:
    provider.be(mode)
    await fails(viewer)


async def test_provider_that_is_gone(provider: FakeProvider, viewer: httpx.AsyncClient) -> None:
    provider.stop()
    await fails(viewer)
    provider.start()
    assert (await viewer.get(f"{SEARCH}?query=a")).status_code == 200


async def test_redirects_are_not_followed(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    other = FakeProvider()
    try:
        provider.be("redirecting", other.url)
        await fails(viewer)
        assert other.asked() == 0
    finally:
        other.stop()


async def test_hiccup_is_tried_again(provider: FakeProvider, viewer: httpx.AsyncClient) -> None:
    provider.be("hiccuping")
    assert (await viewer.get(f"{SEARCH}?query=a")).status_code == 200
    assert provider.asked() == 2


async def test_query_that_the_provider_refuses_is_bad_input(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    provider.be("refusing")
    for number in range(breakers.FAILURES + 2):
        answer = await viewer.get(f"{SEARCH}?query=a{number}")
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/movie-query-refused"
    provider.be("well")
    assert (await viewer.get(f"{SEARCH}?query=a")).status_code == 200, "nobody else pays for it"


async def test_breaker_opens_and_heals(
    provider: FakeProvider, viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.be("garbage")
    for number in range(breakers.FAILURES):
        await fails(viewer, f"a{number}")
    asked = provider.asked()
    assert asked == breakers.FAILURES
    provider.be("well")
    refused = await fails(viewer, "b")
    assert int(refused.headers["retry-after"]) == breakers.PAUSE_SECONDS
    assert provider.asked() == asked, "it is left alone"
    (known,) = registry._november7.values()
    assert isinstance(known, November7)
    known._api._breaker._open_until = 0.0  # the pause is over
    assert (await viewer.get(f"{SEARCH}?query=b")).status_code == 200
    assert (await viewer.get(f"{SEARCH}?query=c")).status_code == 200


async def test_only_so_many_questions_at_once(provider: FakeProvider) -> None:
    provider.be("tardy")  # 0.3 seconds each, and 1.25 seconds to wait for a place
    known = registry.november7(ANONYMOUS)
    questions = [known.search(f"a{number}", 1) for number in range(20)]
    answers = await asyncio.gather(*questions, return_exceptions=True)
    failed = [one for one in answers if isinstance(one, ProviderFailed)]
    assert provider.most_at_once() == IN_FLIGHT
    assert 4 <= len(answers) - len(failed) < 20
    assert {str(one) for one in failed} == {"too many concurrent requests"}
    assert await known.search("b", 1), "that says nothing about the provider"


async def test_votes_do_not_need_the_provider(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    provider.stop()
    voted = await viewer.post(f"{SEARCH}/ratings", json={"movie_id": MOVIES[0]["id"]})
    assert voted.status_code == 201
    provider.start()
    (movie, *_) = (await viewer.get(f"{SEARCH}?query=matrix")).json()["results"]
    assert (movie["upvotes"], movie["my_vote"]) == (1, "UPVOTE")
