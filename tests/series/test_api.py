"""Series over HTTP: editing, visibility, the next episode, and continuing to watch."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from catalog.factories import add_films

SERIES = "/api/v1/series"
VIDEOS = "/api/v1/videos"
CONTINUE = "/api/v1/history?unfinished=true"
_clock = count()


@pytest.fixture
async def films(session: AsyncSession) -> list[int]:
    return await add_films(session, *({"title": f"Part {n}"} for n in range(5)))


async def add_series(
    editor: httpx.AsyncClient, films: Sequence[int], title: str = "Dark", **fields: Any
) -> int:
    """A series with two episodes in its first season, and the others in the second."""
    made = await editor.post(SERIES, json={"title": title, **fields})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    for at, film in enumerate(films):
        place = {"season": 1, "number": at + 1} if at < 2 else {"season": 2, "number": at}
        put = await editor.put(f"{SERIES}/{number}/episodes/{film}", json=place)
        assert put.status_code == 204, put.text
    return number


async def hide(session: AsyncSession, film: int) -> None:
    await session.execute(text("update video set published_at = null where id = :id"), {"id": film})
    await session.commit()


async def watch(client: httpx.AsyncClient, film: int, seconds: float) -> None:
    """Each time a second later: all of a test may happen at one time of the database."""
    at = datetime.now(UTC) - timedelta(hours=1) + timedelta(seconds=next(_clock))
    body = {"seconds": seconds, "at": at.isoformat()}
    saved = await client.put(f"{VIDEOS}/{film}/progress", json=body)
    assert saved.status_code == 200


async def next_of(client: httpx.AsyncClient, film: int) -> int | None:
    answer = await client.get(f"{VIDEOS}/{film}/next")
    assert answer.status_code == 200
    found: int | None = answer.json()["video_id"]
    return found


def episodes(series: dict[str, Any]) -> dict[int, list[int]]:
    return {
        season["number"]: [one["video_id"] for one in season["episodes"]]
        for season in series["seasons"]
    }


async def test_series_has_seasons_and_positions(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = await add_series(editor, films, description="Time")
    season = f"{SERIES}/{number}/seasons/2"
    assert (await editor.put(season, json={"title": "Later"})).status_code == 204
    await watch(viewer, films[1], 40)
    answer = await viewer.get(f"{SERIES}/{number}")
    assert answer.headers["cache-control"] == "private, no-store"
    shown = answer.json()
    assert (shown["title"], shown["description"]) == ("Dark", "Time")
    assert episodes(shown) == {1: films[:2], 2: films[2:]}
    assert shown["seasons"][1]["title"] == "Later"
    second = shown["seasons"][0]["episodes"][1]
    assert (second["seconds"], second["finished"], second["duration"]) == (40.0, False, 100.0)


async def test_reading_a_series_takes_the_same_queries_for_any_size(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient, engine: AsyncEngine
) -> None:
    small = await add_series(editor, films[:1])
    large = await add_series(editor, films[1:], "Large")
    counts = []
    for number in (small, small, large):  # the first read also finds out who the viewer is
        queries: list[str] = []

        def note(*args: Any, seen: list[str] = queries) -> None:
            seen.append(args[2])

        event.listen(engine.sync_engine, "before_cursor_execute", note)
        assert (await viewer.get(f"{SERIES}/{number}")).status_code == 200
        event.remove(engine.sync_engine, "before_cursor_execute", note)
        counts.append(len([one for one in queries if "FROM series" in one or "FROM season" in one]))
    assert counts == [2, 2, 2]


async def test_unpublished_episodes_do_not_exist_for_viewers(
    session: AsyncSession,
    films: list[int],
    editor: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
) -> None:
    number = await add_series(editor, films[:3])
    await hide(session, films[2])
    assert episodes((await viewer.get(f"{SERIES}/{number}")).json()) == {1: films[:2]}
    assert episodes((await editor.get(f"{SERIES}/{number}")).json()) == {
        1: films[:2],
        2: [films[2]],
    }
    assert await next_of(viewer, films[1]) is None
    assert await next_of(editor, films[1]) == films[2]
    assert (await viewer.get(f"{VIDEOS}/{films[2]}/next")).status_code == 404
    for film in films[:2]:
        await hide(session, film)
    assert (await viewer.get(f"{SERIES}/{number}")).status_code == 404
    assert (await viewer.get(SERIES)).json()["items"] == []
    assert len((await editor.get(SERIES)).json()["items"]) == 1


@pytest.mark.parametrize("fields", [{"publish": False}, {"audience": "private"}])
async def test_hidden_series_is_not_named_by_its_episodes(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    number = await add_series(editor, films, "Secretum", **fields)
    await watch(viewer, films[0], 100)
    for path in (
        f"{SERIES}/{number}",
        SERIES,
        f"{VIDEOS}/{films[0]}",
        f"{VIDEOS}/{films[0]}/next",
        CONTINUE,
    ):
        assert "Secretum" not in (await viewer.get(path)).text, path
    assert (await viewer.get(f"{SERIES}/{number}")).status_code == 404
    assert await next_of(viewer, films[0]) is None
    change = {"publish": True, "audience": "everyone"}
    assert (await editor.patch(f"{SERIES}/{number}", json=change)).status_code == 200
    assert (await viewer.get(f"{VIDEOS}/{films[0]}")).json()["episode"]["number"] == 1


async def test_next_episode_is_found_across_seasons(
    session: AsyncSession, films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    await add_series(editor, films[:4])
    (single,) = await add_films(session, {"title": "No episode"})
    assert [await next_of(viewer, film) for film in films[:4]] == [*films[1:4], None]
    assert await next_of(viewer, single) is None
    await hide(session, films[2])
    assert await next_of(viewer, films[1]) == films[3]


async def continued(client: httpx.AsyncClient) -> list[tuple[int, bool]]:
    answer = await client.get(CONTINUE)
    return [(item["video"]["id"], item["is_next"]) for item in answer.json()]


async def test_continue_with_the_next_episode(
    session: AsyncSession, films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = await add_series(editor, films[:4])
    (single,) = await add_films(session, {"title": "No episode"})
    await watch(viewer, single, 100)
    await watch(viewer, films[0], 100)
    await watch(viewer, films[1], 100)
    assert await continued(viewer) == [(films[2], True)]
    offered = (await viewer.get(CONTINUE)).json()[0]
    assert offered["episode"] == {
        "series_id": number, "series_title": "Dark", "season": 2, "number": 2,
    }  # fmt: skip
    assert (offered["progress"]["seconds"], offered["progress"]["finished"]) == (0.0, False)
    await watch(viewer, films[2], 50)
    assert await continued(viewer) == [(films[2], False)], "it has been begun"
    await watch(viewer, films[3], 100)
    assert await continued(viewer) == [(films[2], False)], "nothing follows the last one"
    await watch(viewer, films[2], 100)
    assert await continued(viewer) == [], "all is watched"
    assert await continued(editor) == [], "positions are each profile's own"


async def test_episode_begun_later_replaces_the_next_one(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    await add_series(editor, films[:4])
    await watch(viewer, films[0], 100)
    await watch(viewer, films[3], 20)
    assert await continued(viewer) == [(films[3], False)]


async def test_video_has_one_place(films: list[int], editor: httpx.AsyncClient) -> None:
    number = await add_series(editor, films[:2])
    other = await add_series(editor, [], "Other")
    answers = [
        await editor.put(f"{SERIES}/{number}/episodes/{films[2]}", json={"season": 1, "number": 1}),
        await editor.put(f"{SERIES}/{other}/episodes/{films[0]}", json={"season": 1, "number": 1}),
        await editor.put(f"{SERIES}/999/episodes/{films[0]}", json={"season": 1, "number": 1}),
        await editor.put(f"{SERIES}/{number}/episodes/999", json={"season": 1, "number": 9}),
        await editor.put(f"{SERIES}/{number}/episodes/{films[0]}", json={"season": 3, "number": 7}),
    ]
    assert [answer.status_code for answer in answers] == [409, 409, 404, 404, 204]
    kinds = [answer.json()["type"].rpartition("/")[2] for answer in answers[:4]]
    assert kinds == ["place-taken", "in-another-series", "series-not-found", "video-not-found"]
    shown = (await editor.get(f"{SERIES}/{number}")).json()
    assert episodes(shown) == {1: [films[1]], 3: [films[0]]}


async def test_season_is_reordered_at_once(films: list[int], editor: httpx.AsyncClient) -> None:
    number = await add_series(editor, films)
    path, order = f"{SERIES}/{number}/seasons/2/order", [films[4], films[2], films[3]]
    assert (await editor.put(path, json={"video_ids": order})).status_code == 204
    season = (await editor.get(f"{SERIES}/{number}")).json()["seasons"][1]
    assert [(one["video_id"], one["number"]) for one in season["episodes"]] == [
        (films[4], 1), (films[2], 2), (films[3], 3),
    ]  # fmt: skip
    for wrong in (order[:2], [*order, films[0]], [films[4], films[4], films[2]]):
        assert (await editor.put(path, json={"video_ids": wrong})).status_code == 409


async def test_videos_outlive_their_series(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = await add_series(editor, films)
    path = f"{SERIES}/{number}"
    assert (await editor.delete(f"{path}/episodes/{films[0]}")).status_code == 204
    assert (await editor.delete(f"{path}/episodes/{films[0]}")).status_code == 404
    assert (await editor.delete(f"{path}/seasons/2")).status_code == 204
    assert (await editor.delete(f"{path}/seasons/2")).status_code == 404
    assert episodes((await viewer.get(path)).json()) == {1: [films[1]]}
    assert (await editor.delete(path)).status_code == 204
    assert (await editor.delete(path)).status_code == 404
    for film in films:
        shown = await viewer.get(f"{VIDEOS}/{film}")
        assert (shown.status_code, shown.json()["episode"]) == (200, None)


async def test_list_is_read_by_cursor_and_searched(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for film, title in zip(films, ["Ärzte", "Bodies", "100% Wolf", "Dark", "Dark"], strict=True):
        await add_series(editor, [film], title)
    seen: list[str] = []
    cursors: list[str | None] = [""]
    while cursors[-1] is not None:
        page = (await viewer.get(SERIES, params={"limit": 2, "cursor": cursors[-1]})).json()
        seen += [one["title"] for one in page["items"]]
        cursors.append(page["next_cursor"])
    assert len(cursors) == 4
    assert seen == ["100% Wolf", "Ärzte", "Bodies", "Dark", "Dark"]
    for words, titles in {"arz": ["Ärzte"], "0%": ["100% Wolf"], "%": ["100% Wolf"]}.items():
        found = (await viewer.get(SERIES, params={"search": words})).json()["items"]
        assert [one["title"] for one in found] == titles, words
    assert (await viewer.get(f"{SERIES}?cursor=WzFd")).status_code == 400


async def test_markers_are_part_of_the_detail(
    films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    path = f"{VIDEOS}/{films[0]}"
    nothing = {"intro_start": None, "intro_end": None, "credits_start": None}
    assert (await viewer.get(path)).json()["markers"] == nothing
    markers = {"intro_start": 0, "intro_end": 30.5, "credits_start": 90}
    assert (await editor.put(f"{path}/markers", json=markers)).status_code == 200
    assert (await viewer.get(path)).json()["markers"] == markers
    assert (await editor.put(f"{path}/markers", json={"credits_start": -1})).status_code == 400
    for wrong in ({"intro_start": 5}, {"intro_end": 5}, {"intro_start": 9, "intro_end": 9}):
        refused = await editor.put(f"{path}/markers", json=wrong)
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/markers-invalid")
    assert (await viewer.put(f"{path}/markers", json=markers)).status_code == 403
    assert (await editor.put(f"{path}/markers", json={})).json() == nothing


async def test_older_dialects_are_not_changed(
    app: Litestar, films: list[int], editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    """Lists have the fields that they had: an episode is a video."""
    await add_series(editor, films)
    listed = (await viewer.get(VIDEOS)).json()["items"]
    assert len(listed) == len(films)
    assert not {"markers", "episode"} & set(listed[0])
