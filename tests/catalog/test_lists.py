"""Lists of films: filters, orders, pages and cursors."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_category, add_films
from videoflix.catalog.repository import videos as videos_repository

VIDEOS = "/api/v1/videos"


@pytest.fixture
async def films(session: AsyncSession) -> list[int]:
    drama = await add_category(session, "Drama")
    await add_category(session, "Empty")
    return await add_films(
        session,
        {"title": "Äpfel", "genre": "nature", "language": "de", "duration": 50.0},
        {"title": "bees", "genre": "nature", "release_year": 1999, "featured": True},
        {"title": "Cold War", "genre": "history", "categories": [drama], "duration": 300.0},
        {"title": "dunes", "genre": "history", "categories": [drama], "tags": ["sand", "sun"]},
    )


async def titles(client: httpx.AsyncClient, query: str = "", path: str = VIDEOS) -> list[str]:
    answer = await client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["dunes", "Cold War", "bees", "Äpfel"]),
        ("ordering=oldest", ["Äpfel", "bees", "Cold War", "dunes"]),
        ("ordering=title", ["Äpfel", "bees", "Cold War", "dunes"]),
        ("ordering=duration", ["Cold War", "dunes", "bees", "Äpfel"]),
        ("genre=nature", ["bees", "Äpfel"]),
        ("genre=unknown", []),
        ("language=de", ["Äpfel"]),
        ("year=1999", ["bees"]),
        ("featured=true", ["bees"]),
        ("featured=false&genre=nature", ["Äpfel"]),
        ("category=drama", ["dunes", "Cold War"]),
        ("category=drama&ordering=oldest", ["Cold War", "dunes"]),
        ("category=drama&ordering=title", ["Cold War", "dunes"]),
        ("category=empty", []),
        ("created_after=2100-01-01T00:00:00Z", []),
        ("limit=1&offset=1", ["Cold War"]),
        ("offset=10", []),
    ],
)
async def test_lists_are_filtered_and_ordered(
    films: list[int], viewer: httpx.AsyncClient, query: str, expected: list[str]
) -> None:
    assert await titles(viewer, query) == expected


async def test_unknown_durations_come_last(
    films: list[int], session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await session.execute(
        text("update video set duration = null where id = any(:ids)"), {"ids": films[2:]}
    )
    await session.commit()
    assert await titles(viewer, "ordering=duration") == ["bees", "Äpfel", "dunes", "Cold War"]
    page = (await viewer.get(f"{VIDEOS}?ordering=duration&limit=3&cursor=")).json()
    rest = await titles(viewer, f"ordering=duration&limit=3&cursor={page['next_cursor']}")
    assert [item["title"] for item in page["items"]] + rest == [
        *("bees", "Äpfel", "dunes", "Cold War")
    ]


async def test_most_watched_and_best_voted_come_first(
    films: list[int], session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await session.execute(
        text("update video set popularity = 9, downvotes = 1 where id = :id"), {"id": films[0]}
    )
    await session.execute(text("update video set upvotes = 5 where id = :id"), {"id": films[1]})
    await session.commit()
    assert (await titles(viewer, "ordering=most-watched"))[0] == "Äpfel"
    by_votes = await titles(viewer, "ordering=best-voted")
    assert (by_votes[0], by_votes[-1]) == ("bees", "Äpfel")


@pytest.mark.parametrize(
    "ordering", ["newest", "oldest", "title", "duration", "most-watched", "best-voted"]
)
@pytest.mark.parametrize("query", ["", "&category=drama", "&genre=nature"])
async def test_cursor_reads_every_film_once(
    films: list[int], viewer: httpx.AsyncClient, ordering: str, query: str
) -> None:
    expected = await titles(viewer, f"ordering={ordering}{query}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (
            await viewer.get(f"{VIDEOS}?ordering={ordering}{query}&limit=1&cursor={cursor}")
        ).json()
        seen += [item["title"] for item in page["items"]]
        assert page["total"] is None
        cursor = page["next_cursor"]
    assert seen == expected


async def test_cursor_is_not_moved_by_new_films(
    films: list[int], session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    first = (await viewer.get(f"{VIDEOS}?limit=2")).json()
    await add_films(session, {"title": "newer"})
    second = (await viewer.get(f"{VIDEOS}?limit=2&cursor={first['next_cursor']}")).json()
    assert [item["title"] for item in second["items"]] == ["bees", "Äpfel"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("ordering=best", 400, "newest, oldest, title, duration, most-watched, best-voted"),
        ("state=lost", 400, "processing, ready, failed"),
        ("publication=gone", 400, "draft, scheduled, published, deleted"),
        ("category=unknown", 404, "category"),
        ("category=999", 404, "category"),
        ("category=unknown&cursor=", 404, "category"),
        ("category=unknown&search=x", 404, "category"),
        ("limit=101", 400, "limit"),
        ("cursor=nonsense", 400, "cursor"),
        ("cursor=WyJvbGRlc3QiLCJ4IiwxXQ", 400, "cursor"),
        ("cursor=WyJuZXdlc3QiLDEsMV0", 400, "cursor"),
        ("cursor=&search=x", 400, "offset"),
        ("offset=10001", 400, "next_cursor"),
        ("featured=maybe", 400, "featured"),
        ("year=now", 400, "year"),
        ("created_after=yesterday", 400, "created_after"),
        ("created_after=0.5", 400, "created_after"),
        ("created_after=null", 400, "created_after"),
    ],
)
async def test_what_a_list_does_not_understand_it_says(
    films: list[int], viewer: httpx.AsyncClient, query: str, status: int, words: str
) -> None:
    answer = await viewer.get(f"{VIDEOS}?{query}")
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


async def test_totals_are_counted_only_so_far(
    films: list[int], viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (await viewer.get(f"{VIDEOS}?limit=1")).json()
    assert (page["total"], page["total_is_minimum"]) == (4, False)
    monkeypatch.setattr(videos_repository, "COUNTED", 2)
    monkeypatch.setattr("videoflix.catalog.service.browse.COUNTED", 2)
    page = (await viewer.get(f"{VIDEOS}?limit=1&offset=0")).json()
    assert (page["total"], page["total_is_minimum"]) == (2, True)


async def test_front_page_lists(films: list[int], viewer: httpx.AsyncClient) -> None:
    assert await titles(viewer, "limit=2", f"{VIDEOS}/newest") == ["dunes", "Cold War"]
    assert await titles(viewer, "", f"{VIDEOS}/featured") == ["bees"]
    browse = (await viewer.get(f"{VIDEOS}/by-category?limit=1")).json()
    shown = {one["category"]["slug"]: [v["title"] for v in one["videos"]] for one in browse}
    assert shown == {"drama": ["dunes"], "empty": []}


async def test_related_films_share_most(
    films: list[int], session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await add_films(
        session,
        {"title": "sand and sun", "tags": ["sun", "sand"]},
        {"title": "sand", "tags": ["sand"]},
        {"title": "nothing in common"},
    )
    answer = await viewer.get(f"{VIDEOS}/{films[3]}/related")
    assert [item["title"] for item in answer.json()] == ["sand and sun", "sand", "Cold War"]
    assert (await viewer.get(f"{VIDEOS}/999999/related")).status_code == 404


async def test_film_is_found_by_its_slug(films: list[int], viewer: httpx.AsyncClient) -> None:
    slug = f"apfel-{films[0]}"
    found = (await viewer.get(f"{VIDEOS}/by-slug/{slug}")).json()
    assert (found["id"], found["slug"]) == (films[0], slug)
    assert (await viewer.get(f"{VIDEOS}/by-slug/nothing-0")).status_code == 404


async def test_film_shows_what_editors_said(films: list[int], viewer: httpx.AsyncClient) -> None:
    film: dict[str, Any] = (await viewer.get(f"{VIDEOS}/{films[3]}")).json()
    assert [category["slug"] for category in film["categories"]] == ["drama"]
    assert film["tags"] == ["sand", "sun"]
    assert film["publication"] == "published"
    assert (film["upvotes"], film["downvotes"], film["views"]) == (0, 0, 0)
