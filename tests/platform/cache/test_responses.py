"""The response cache: what is told apart, what invalidates it, and for how long it is valid.

tests/catalog/test_cache.py sends requests to the catalogue, which uses it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Request

from videoflix.platform.cache import responses
from videoflix.platform.cache.responses import CachedResponse, ResponseCache
from videoflix.platform.postgres.notify import event_bus

LIST, ITEM = "/items", "/items/7"


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the test moves, while notifications arrive."""
    clock = Clock()
    monkeypatch.setattr(responses, "time", clock)
    monkeypatch.setattr(event_bus, "hears", True)
    return clock


@pytest.fixture
def cache(clock: Clock) -> Iterator[ResponseCache]:
    """Invalidated by `test-item:…`; votes are counted as `test-votes:…`."""
    callbacks, prefixes = len(event_bus._catch_up), set(event_bus._callbacks)
    yield ResponseCache(
        "test responses",
        "test-item:",
        parameters=frozenset({"page", "sort"}),
        counts="test-votes:",
        path_of=lambda topic: f"/items/{topic.removeprefix('test-votes:')}",
    )
    del event_bus._catch_up[callbacks:]
    for prefix in set(event_bus._callbacks) - prefixes:
        del event_bus._callbacks[prefix]


def get(target: str = LIST, etag: str = "") -> Request[Any, Any, Any]:
    path, _, query = target.partition("?")
    headers = [(b"if-none-match", etag.encode())] if etag else []
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
    }
    return Request(scope)


def put(cache: ResponseCache, target: str = LIST, audience: str = "all") -> CachedResponse:
    return cache.put(get(target), audience, {"a": 1}, cache.generation)


def test_response_is_encoded_once(cache: ResponseCache) -> None:
    assert cache.get(get(), "all") is None
    stored = put(cache)
    assert (stored.body, stored.status_code) == (b'{"a":1}', 200)
    assert cache.get(get(), "all") is stored


async def test_response_as_it_is_sent(cache: ResponseCache) -> None:
    response = put(cache)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await response.to_asgi_response()(get().scope, None, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert dict(sent[0]["headers"]) == {
        b"cache-control": b"private, no-cache",
        b"vary": b"Authorization, Cookie, X-Profile",
        b"etag": response.etag.encode(),
        b"content-type": b"application/json",
        b"content-length": b"7",
    }
    assert (sent[0]["status"], sent[1]["body"], sent[1]["more_body"]) == (200, b'{"a":1}', False)


@pytest.mark.parametrize(
    ("target", "audience", "is_found"),
    [
        ("/items?page=1", "all", True),
        ("/items?page=1&unknown=x", "all", True),
        ("/items?page=9&page=1", "all", True),
        ("/items?page=1&page=9", "all", False),
        ("/items?page=2", "all", False),
        ("/items?page=1&sort=title", "all", False),
        ("/items", "all", False),
        ("/items/7?page=1", "all", False),
        ("/items?page=1", "editors", False),
    ],
)
def test_requests_are_told_apart(
    cache: ResponseCache, target: str, audience: str, is_found: bool
) -> None:
    put(cache, "/items?page=1")
    assert (cache.get(get(target), audience) is not None) is is_found


def test_order_of_parameters_does_not_matter(cache: ResponseCache) -> None:
    put(cache, "/items?page=1&sort=title")
    assert cache.get(get("/items?sort=title&page=1"), "all")


@pytest.mark.parametrize(
    ("sent", "status"), [("{}", 304), ("W/{}", 304), ('"x", {}', 304), ('"x"', 200), ("", 200)]
)
def test_known_etag_is_answered_with_304(cache: ResponseCache, sent: str, status: int) -> None:
    etag = put(cache).etag
    response = cache.get(get(etag=sent.format(etag)), "all")
    assert response is not None
    assert (response.status_code, response.etag) == (status, etag)
    assert bool(response.body) is (status == 200)
    assert cache.put(get(etag=etag), "all", {"a": 1}, 0).status_code == 304


@pytest.mark.parametrize(
    ("topic", "is_kept"), [("test-item:7", False), ("test-item:", False), ("test-other:7", True)]
)
def test_announced_change_clears_the_cache(cache: ResponseCache, topic: str, is_kept: bool) -> None:
    put(cache)
    event_bus.dispatch(topic)
    assert (cache.get(get(), "all") is not None) is is_kept


def test_response_that_was_read_before_a_change_is_not_stored(cache: ResponseCache) -> None:
    generation = cache.generation
    event_bus.dispatch("test-item:7")
    assert cache.put(get(), "all", {"old": True}, generation).body == b'{"old":true}'
    assert cache.get(get(), "all") is None


@pytest.mark.parametrize(("seconds", "is_kept"), [(4.9, True), (5.0, False)])
def test_counts_in_lists_may_be_five_seconds_old(
    cache: ResponseCache, clock: Clock, seconds: float, is_kept: bool
) -> None:
    put(cache)
    put(cache, ITEM)
    put(cache, ITEM, "editors")
    event_bus.dispatch("test-votes:7")
    assert cache.get(get(ITEM), "all") is None, "the item's own page is exact"
    assert cache.get(get(ITEM), "editors") is None
    assert cache.get(get(), "all")
    clock.now += seconds
    assert (cache.get(get(), "all") is not None) is is_kept


def test_later_votes_do_not_prolong_the_five_seconds(cache: ResponseCache, clock: Clock) -> None:
    put(cache)
    for _ in range(3):
        event_bus.dispatch("test-votes:7")
        clock.now += 2
    assert cache.get(get(), "all") is None


def test_without_votes_responses_do_not_expire(cache: ResponseCache, clock: Clock) -> None:
    put(cache)
    event_bus.dispatch("test-votes:7")
    event_bus.dispatch("test-item:7")  # clears the cache, and the pending expiry
    put(cache)
    clock.now += 3_600
    assert cache.get(get(), "all")


@pytest.mark.parametrize(
    ("is_connected", "is_moving", "is_limited"),
    [(True, False, False), (True, True, True), (False, False, True), (False, True, True)],
)
def test_lifetime_is_a_second_while_changes_are_not_announced(
    cache: ResponseCache,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    is_connected: bool,
    is_moving: bool,
    is_limited: bool,
) -> None:
    """Progress of encoding is announced to nobody, so a moving response is limited as well."""
    monkeypatch.setattr(event_bus, "hears", is_connected)
    cache.put(get(), "all", {"a": 1}, cache.generation, is_moving=lambda _: is_moving)
    clock.now += 1.0
    assert cache.get(get(), "all")
    clock.now += 0.1
    assert (cache.get(get(), "all") is None) is is_limited


async def test_connecting_again_clears_what_was_missed(cache: ResponseCache) -> None:
    put(cache)
    await event_bus._catch_up[-1]()
    assert cache.get(get(), "all") is None
