"""Token buckets in memory, on a clock that the tests move."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.platform.rate_limit import local_buckets
from videoflix.platform.rate_limit.local_buckets import LocalBuckets, RateLimit

LIMIT = RateLimit("test", size=3, step=2.0)


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(local_buckets, "time", clock)
    return clock


def test_full_bucket_gives_its_size_and_no_more(clock: Clock) -> None:
    buckets = LocalBuckets(10)
    assert [buckets.acquire("a", LIMIT) for _ in range(5)] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(("wanted", "taken"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (1_000, 3)])
def test_as_many_tokens_as_there_are(clock: Clock, wanted: int, taken: int) -> None:
    assert LocalBuckets(10).acquire("a", LIMIT, wanted) == taken


@pytest.mark.parametrize(
    ("seconds", "taken"), [(0, 0), (1.9, 0), (2, 1), (3.9, 1), (4, 2), (6, 3), (3_600, 3)]
)
def test_empty_bucket_refills_one_token_a_step(clock: Clock, seconds: float, taken: int) -> None:
    buckets = LocalBuckets(10)
    buckets.acquire("a", LIMIT, 3)
    clock.now += seconds
    assert buckets.acquire("a", LIMIT, 10) == taken


def test_wait_is_exact(clock: Clock) -> None:
    buckets = LocalBuckets(10)
    assert (buckets.wait("a", LIMIT), buckets.full_in("a")) == (0.0, 0.0)
    buckets.acquire("a", LIMIT, 3)
    assert (buckets.wait("a", LIMIT), buckets.full_in("a")) == (2.0, 6.0)
    clock.now += 1.5
    assert (buckets.wait("a", LIMIT), buckets.full_in("a")) == (0.5, 4.5)
    clock.now += 0.5
    assert (buckets.wait("a", LIMIT), buckets.full_in("a")) == (0.0, 4.0)
    slow = RateLimit("slow", size=5, step=3.0)
    buckets.acquire("b", slow, 5)
    assert (buckets.wait("b", slow), buckets.full_in("b")) == (3.0, 15.0)


def test_refused_requests_do_not_prolong_the_wait(clock: Clock) -> None:
    buckets = LocalBuckets(10)
    buckets.acquire("a", LIMIT, 3)
    for _ in range(100):
        assert buckets.acquire("a", LIMIT) == 0
    assert buckets.wait("a", LIMIT) == 2.0


def test_token_that_is_given_back_may_be_taken_again(clock: Clock) -> None:
    buckets = LocalBuckets(10)
    buckets.acquire("a", LIMIT, 3)
    buckets.give_back("a", LIMIT)
    buckets.give_back("unknown", LIMIT)
    assert [buckets.acquire("a", LIMIT), buckets.acquire("a", LIMIT)] == [1, 0]
    assert buckets.acquire("unknown", LIMIT, 10) == 3


def test_keys_have_buckets_of_their_own(clock: Clock) -> None:
    buckets = LocalBuckets(10)
    assert buckets.acquire("a", LIMIT, 3) == 3
    assert buckets.acquire("b", LIMIT, 3) == 3


def test_least_recently_used_bucket_is_evicted(clock: Clock) -> None:
    buckets = LocalBuckets(2)
    for key in ("a", "b", "a", "c"):
        buckets.acquire(key, LIMIT)
    assert [buckets.acquire("c", LIMIT, 3), buckets.acquire("a", LIMIT, 3)] == [2, 1]
    assert buckets.acquire("b", LIMIT, 3) == 3


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30),
    size=st.integers(1, 5),
)
def test_never_more_than_the_burst_and_the_refill(steps: list[tuple[int, int]], size: int) -> None:
    """The definition of a token bucket: at most size + elapsed / step within any time."""
    limit = RateLimit("test", size=size, step=1.0)
    clock = SimpleNamespace(now=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_buckets, "time", SimpleNamespace(monotonic=lambda: clock.now))
        buckets, tokens = LocalBuckets(10), size
        for seconds, wanted in steps:
            clock.now += seconds
            tokens = min(size, tokens + seconds)
            taken = buckets.acquire("a", limit, wanted)
            assert taken == min(wanted, tokens)
            tokens -= taken
