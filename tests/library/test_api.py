"""Watchlist, history and votes over HTTP."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD, http_client
from queue_helpers import execute, rows
from videoflix.accounts.service import Accounts
from videoflix.library.api.dependencies import counter
from videoflix.library.service import Views
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

VIDEOS = "/api/v1/videos"
WATCHLIST = "/api/v1/watchlist"
HISTORY = "/api/v1/history"


@pytest.fixture
async def films(session: AsyncSession) -> list[int]:
    return await add_films(session, *({"title": f"Film {n}"} for n in range(4)))


async def listed(client: httpx.AsyncClient, path: str = WATCHLIST) -> list[int]:
    answer = await client.get(path)
    assert answer.headers["cache-control"] == "private, no-store"
    return [item["video"]["id"] for item in answer.json()]


async def test_watchlist_holds_a_film_once(films: list[int], viewer: httpx.AsyncClient) -> None:
    for number in [*films, films[0]]:
        assert (await viewer.post(WATCHLIST, json={"video_id": number})).status_code == 200
    assert await listed(viewer) == films[::-1]
    query = "&".join(f"ids={number}" for number in [*films[:2], 999])
    assert (await viewer.get(f"{WATCHLIST}/contains?{query}")).json() == {"ids": films[:2]}
    assert (await viewer.delete(f"{WATCHLIST}/{films[1]}")).status_code == 204
    assert (await viewer.delete(f"{WATCHLIST}/{films[1]}")).status_code == 404
    assert (await viewer.get(f"{WATCHLIST}?limit=1&offset=1")).json()[0]["video"]["id"] == films[2]


async def test_watchlist_is_reordered(films: list[int], viewer: httpx.AsyncClient) -> None:
    for number in films[::-1]:
        await viewer.post(WATCHLIST, json={"video_id": number})
    a, b, c, d = films
    assert await listed(viewer) == [a, b, c, d]
    moves = [
        (d, a, [d, a, b, c]),
        (d, None, [a, b, c, d]),
        (a, c, [b, a, c, d]),
        (a, a, [b, a, c, d]),
    ]
    for video, before, expected in moves:
        path = f"{WATCHLIST}/{video}/position"
        assert (await viewer.put(path, json={"before": before})).status_code == 204
        assert await listed(viewer) == expected
    assert (await viewer.put(f"{WATCHLIST}/{a}/position", json={"before": 999})).status_code == 404


async def put(client: httpx.AsyncClient, film: int, seconds: float, at: str = "") -> httpx.Response:
    body: dict[str, object] = {"seconds": seconds} | ({"at": at} if at else {})
    return await client.put(f"{VIDEOS}/{film}/progress", json=body)


async def test_progress_is_where_the_player_is(films: list[int], viewer: httpx.AsyncClient) -> None:
    fresh = (await viewer.get(f"{VIDEOS}/{films[0]}/progress")).json()
    assert (fresh["seconds"], fresh["duration"], fresh["updated_at"]) == (0.0, 100.0, None)
    assert (await put(viewer, films[0], 42.5)).json()["seconds"] == 42.5
    assert (await put(viewer, films[0], 1000)).json()["seconds"] == 100.0, "the end is the end"
    assert (await put(viewer, films[0], 10)).json()["seconds"] == 10.0, "people seek back"


@pytest.mark.parametrize(("seconds", "finished"), [(94.9, False), (95.0, True), (100.0, True)])
async def test_film_is_finished_at_95_percent(
    films: list[int], viewer: httpx.AsyncClient, seconds: float, finished: bool
) -> None:
    assert (await put(viewer, films[0], seconds)).json()["finished"] is finished
    continued = await listed(viewer, f"{HISTORY}?unfinished=true")
    assert continued == ([] if finished else [films[0]])


async def test_late_word_changes_nothing(films: list[int], viewer: httpx.AsyncClient) -> None:
    await put(viewer, films[0], 60, "2026-01-01T12:00:10Z")
    late = await put(viewer, films[0], 50, "2026-01-01T12:00:00Z")
    assert late.status_code == 200
    assert late.json()["seconds"] == 60.0
    assert (await put(viewer, films[0], 70, "2026-01-01T12:00:20+00:00")).json()["seconds"] == 70.0


async def test_clock_that_runs_ahead_does_not_silence_the_others(
    films: list[int], viewer: httpx.AsyncClient
) -> None:
    future = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    await put(viewer, films[0], 60, future)
    assert (await put(viewer, films[0], 70)).json()["seconds"] == 70.0


@pytest.mark.parametrize("body", [b'{"seconds": -1}', b'{"seconds": NaN}', b'{"seconds": 1e999}',
                                  b'{"seconds": "x"}', b'{"seconds": null}', b"{}",
                                  b'{"seconds": 1, "at": "soon"}'])  # fmt: skip
async def test_what_is_no_position_is_refused(
    films: list[int], viewer: httpx.AsyncClient, body: bytes
) -> None:
    answer = await viewer.put(
        f"{VIDEOS}/{films[0]}/progress", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400


async def test_history_is_the_latest_first_and_can_be_forgotten(
    films: list[int], viewer: httpx.AsyncClient
) -> None:
    for minute, number in enumerate(films):
        await put(viewer, number, 10, f"2026-01-01T12:0{minute}:00Z")
    await put(viewer, films[1], 20, "2026-01-01T12:09:00Z")
    assert await listed(viewer, HISTORY) == [films[1], films[3], films[2], films[0]]
    assert (await viewer.delete(f"{HISTORY}/{films[3]}")).status_code == 204
    assert (await viewer.delete(f"{HISTORY}/{films[3]}")).status_code == 204
    assert await listed(viewer, HISTORY) == [films[1], films[2], films[0]]
    assert (await viewer.delete(HISTORY)).status_code == 204
    assert await listed(viewer, HISTORY) == []


async def test_each_profile_has_lists_of_its_own(
    films: list[int], viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    kid = (await viewer.post("/api/v1/me/profiles", json={"name": "Kid"})).json()["id"]
    await put(viewer, films[0], 10)
    await viewer.post(WATCHLIST, json={"video_id": films[0]})
    await viewer.put(f"{VIDEOS}/{films[0]}/vote", json={"vote": "up"})
    first = dict(viewer.headers)
    viewer.headers["X-Profile"] = str(kid)
    for client in (viewer, editor):
        assert await listed(client) == await listed(client, HISTORY) == []
        vote = (await client.get(f"{VIDEOS}/{films[0]}/vote")).json()
        assert vote == {"vote": None, "upvotes": 1, "downvotes": 0}
    viewer.headers = httpx.Headers(first)
    assert await listed(viewer) == [films[0]]


async def test_vote_can_be_changed_and_taken_back(
    films: list[int], viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    path = f"{VIDEOS}/{films[0]}/vote"
    for vote, up, down in (("up", 1, 0), ("up", 1, 0), ("down", 0, 1)):
        cast = (await viewer.put(path, json={"vote": vote})).json()
        assert cast == {"vote": vote, "upvotes": up, "downvotes": down}
    await editor.put(path, json={"vote": "down"})
    film = (await viewer.get(f"{VIDEOS}/{films[0]}")).json()
    assert (film["upvotes"], film["downvotes"]) == (0, 2)
    assert (await viewer.delete(path)).json() == {"vote": None, "upvotes": 0, "downvotes": 1}
    assert (await viewer.put(path, json={"vote": "sideways"})).status_code == 400


async def test_votes_leave_with_their_profile(
    films: list[int], viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    kid = (await viewer.post("/api/v1/me/profiles", json={"name": "Kid"})).json()["id"]
    viewer.headers["X-Profile"] = str(kid)
    await viewer.put(f"{VIDEOS}/{films[0]}/vote", json={"vote": "up"})
    await viewer.delete(f"/api/v1/me/profiles/{kid}")
    vote = (await editor.get(f"{VIDEOS}/{films[0]}/vote")).json()
    assert vote["upvotes"] == 0


async def test_unknown_films_are_404(viewer: httpx.AsyncClient) -> None:
    answers = [
        await viewer.post(WATCHLIST, json={"video_id": 999}),
        await put(viewer, 999, 1),
        await viewer.get(f"{VIDEOS}/999/progress"),
        await viewer.put(f"{VIDEOS}/999/vote", json={"vote": "up"}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_racing_votes_are_all_counted(committed: None, app: Litestar) -> None:
    async with transaction() as session:
        (film,) = await add_films(session, {"title": "Film"})
    clients = []
    for number in range(12):
        async with transaction() as session:
            user = await Accounts(session).create_user(
                email=f"{number}@example.org", password=PASSWORD
            )
            pair = await Sessions(session).open(user)
        clients.append(http_client(app, {"Authorization": f"Bearer {pair.access}"}))
    path = f"{VIDEOS}/{film}/vote"
    for votes in ("up", "down"), ("down", "up"), ("up", "up"):
        await asyncio.gather(
            *[
                client.put(path, json={"vote": votes[number % 2]})
                for number, client in enumerate(clients)
            ]
        )
    assert await rows("select upvotes, downvotes from video") == [{"upvotes": 12, "downvotes": 0}]
    await asyncio.gather(*[client.delete(path) for client in clients])
    assert await rows("select upvotes, downvotes from video") == [{"upvotes": 0, "downvotes": 0}]
    for client in clients:
        await client.aclose()


async def test_views_are_counted_once_a_day_after_half_a_minute(
    films: list[int], viewer: httpx.AsyncClient, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    counter._waiting.clear()
    counter._written.clear()
    await put(viewer, films[0], 29)
    await counter.flush()
    assert (await viewer.get(f"{VIDEOS}/{films[0]}")).json()["views"] == 0
    for client in (viewer, viewer, editor):
        await put(client, films[0], 31)
        await put(client, films[0], 40)
        await counter.flush()
    assert (
        await session.scalar(text("select views from video where id = :id"), {"id": films[0]}) == 2
    )
    assert await Views(session).roll_up() == 1
    await session.commit()
    watched = (await viewer.get(f"{VIDEOS}?ordering=most-watched")).json()["items"][0]
    assert (watched["id"], watched["views"], watched["popularity"]) == (films[0], 2, 2)


async def test_half_of_a_short_film_is_a_view(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    counter._waiting.clear()
    (short,) = await add_films(session, {"title": "Short", "duration": 20.0})
    await put(viewer, short, 9)
    assert not counter._waiting
    await put(viewer, short, 10)
    assert len(counter._waiting) == 1


async def test_popularity_forgets_after_thirty_days(committed: None) -> None:
    async with transaction() as session:
        (film,) = await add_films(session, {"title": "Film"})
    today = date.today()
    days = [today, today - timedelta(days=29), today - timedelta(days=31)]
    async with transaction() as session:
        await Views(session).add([(film, 1, day) for day in days])
        await Views(session).roll_up()
    assert await rows("select views, popularity from video") == [{"views": 3, "popularity": 2}]
    partitions = await rows(
        "select inhrelid::regclass::text as name from pg_inherits"
        " where inhparent = 'video_view'::regclass order by 1"
    )
    names = [row["name"] for row in partitions]
    assert f"video_view_{today:%Y_%m}" in names
    assert len(names) == 3, "this month, the next, and whatever else"
    before = "select count(*) as n from video_view"
    assert await rows(before) == [{"n": 3}], "nothing got lost when a month got its own table"
    for name in names:
        if name != "video_view_other":
            await execute(f"drop table {name}")
