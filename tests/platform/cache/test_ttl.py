"""Caches: their registry, and the table in docs/caches.md."""

import re
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

import videoflix.app
import videoflix.worker
from videoflix.movies.http_client import ProviderClient
from videoflix.movies.providers.november7 import November7
from videoflix.platform.cache.ttl import CLEAR_TOPIC, LruCache, TtlCache, clear_all, registered
from videoflix.platform.postgres.notify import publish

PAGE = Path(__file__).parents[3] / "docs" / "caches.md"
ROW = re.compile(r"^\| ([a-z ]+) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


async def test_every_cache_is_documented() -> None:
    assert videoflix.app
    assert videoflix.worker
    url = "https://movies.example"
    provider = November7(url, ProviderClient(url, seconds=1.0, in_flight=1))
    there = {name: cache for name, cache in registered() if not name.startswith("test ")}
    rows = ROW.findall(PAGE.read_text())
    assert {
        name: (
            "`PLAYBACK_CACHE_BYTES`" if name == "segment indexes" else f"{cache.maxsize:,}",
            f"{cache.ttl:g}" if isinstance(cache, TtlCache) else "–",
        )
        for name, cache in there.items()
    } == {name: (entries, seconds) for name, entries, seconds in rows}
    await provider.close()


def test_all_caches_are_cleared() -> None:
    by_use: LruCache[str, int] = LruCache("test by use", 10)
    by_time: TtlCache[str, int] = TtlCache("test by time", 10, 60)
    by_use["a"] = by_time["a"] = 1
    clear_all()
    assert ("a" in by_use, "a" in by_time) == (False, False)


async def test_announcement_clears_caches_on_commit(session: AsyncSession) -> None:
    cache: LruCache[str, int] = LruCache("test announced", 10)
    cache["a"] = 1
    await publish(session, CLEAR_TOPIC)
    assert "a" in cache
    await session.commit()
    assert "a" not in cache


def test_size_is_bounded_in_bytes() -> None:
    cache: LruCache[str, bytes] = LruCache("test bytes", 10, len)
    cache["a"], cache["b"] = b"12345", b"12345"
    assert cache["a"]
    cache["c"] = b"1"
    assert set(cache) == {"a", "c"}, "the least recently used went"


def test_cache_that_nothing_holds_leaves_the_registry() -> None:
    cache: LruCache[str, int] = LruCache("test held", 10)
    assert "test held" in dict(registered())
    del cache
    assert "test held" not in dict(registered())
