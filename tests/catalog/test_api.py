"""The catalogue over HTTP: who sees which film."""

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video, VideoState


@pytest.fixture
async def films(session: AsyncSession) -> dict[str, int]:
    videos = {
        "ready": Video(title="Ready", state=VideoState.READY, playable=True, progress=1.0),
        "growing": Video(title="Growing", playable=True, progress=0.25),
        "new": Video(title="New"),
        "failed": Video(
            title="Failed",
            state=VideoState.FAILED,
            failure_code="truncated",
            failure_reason="The file ends early.",
        ),
    }
    session.add_all(videos.values())
    await session.commit()
    return {name: video.id for name, video in videos.items()}


async def titles(client: httpx.AsyncClient) -> set[str]:
    answer = await client.get("/api/v1/videos")
    assert answer.status_code == 200
    assert answer.json()["total"] == len(answer.json()["items"])
    return {item["title"] for item in answer.json()["items"]}


async def test_viewers_see_what_plays_and_editors_everything(
    films: dict[str, int], viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    assert await titles(viewer) == {"Ready", "Growing"}
    assert await titles(editor) == {"Ready", "Growing", "New", "Failed"}
    hidden = await viewer.get(f"/api/v1/videos/{films['new']}")
    assert hidden.status_code == 404
    assert hidden.json()["type"] == "/problems/video-not-found"


async def test_failed_film_says_why(films: dict[str, int], editor: httpx.AsyncClient) -> None:
    answer = await editor.get(f"/api/v1/videos/{films['failed']}")
    assert answer.json()["state"] == "failed"
    assert answer.json()["failure"] == {"code": "truncated", "reason": "The file ends early."}


async def test_strangers_see_nothing(films: dict[str, int], client: httpx.AsyncClient) -> None:
    for path in ("", f"/{films['ready']}", f"/{films['ready']}/events"):
        answer = await client.get(f"/api/v1/videos{path}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_pages_follow_each_other(films: dict[str, int], editor: httpx.AsyncClient) -> None:
    seen = []
    for offset in range(4):
        page = (await editor.get(f"/api/v1/videos?limit=1&offset={offset}")).json()
        assert (page["total"], page["limit"], page["offset"]) == (4, 1, offset)
        seen += [item["id"] for item in page["items"]]
    assert seen == sorted(films.values(), reverse=True)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "offset=-1", "limit=many", f"offset={2**63}"]
)
async def test_bad_pages_are_refused(editor: httpx.AsyncClient, query: str) -> None:
    answer = await editor.get(f"/api/v1/videos?{query}")
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid-input"
    assert query.partition("=")[0] in answer.json()["detail"]


@pytest.mark.parametrize("video_id", ["0", "-1", str(2**63), "abc", "1e3"])
async def test_impossible_ids_are_not_found_or_refused(
    editor: httpx.AsyncClient, video_id: str
) -> None:
    assert (await editor.get(f"/api/v1/videos/{video_id}")).status_code in {400, 404}


async def test_events_of_a_final_film_are_one_event(
    films: dict[str, int], viewer: httpx.AsyncClient
) -> None:
    answer = await viewer.get(f"/api/v1/videos/{films['ready']}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("event: video") == 1
    assert '"state":"ready"' in answer.text
