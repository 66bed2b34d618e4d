"""Our catalogue in the shape of November 7, for everybody."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from catalog.test_visibility import HIDDEN, SHOWN, WAYS, add_hidden
from conftest import app_with, http_client
from videoflix.movies.api import public
from videoflix.movies.providers.catalog import movie_id_of
from videoflix.movies.providers.november7 import Items
from videoflix.playback.api import posters
from videoflix.settings import settings

LIST = "/movies/"


async def test_list_has_the_shape_of_november7(
    session: AsyncSession, client: httpx.AsyncClient
) -> None:
    ids = await add_films(session, *({"title": f"Film {n}"} for n in range(12)))
    for path in (LIST, "/movies"):
        answer = await client.get(path)
        assert answer.json()["total"] == 12
        assert len(answer.json()["items"]) == 10
    assert answer.json()["items"][0] == {
        "id": str(movie_id_of(ids[-1])),
        "title": "Film 11",
        "description": "",
        "image_url": None,
        "rating": 0.0,
    }
    msgspec.json.decode(answer.content, type=Items)  # our own client would understand it
    rest = (await client.get(f"{LIST}?skip=10&limit=1000")).json()
    assert [movie["title"] for movie in rest["items"]] == ["Film 1", "Film 0"]
    assert (await client.get(f"{LIST}?skip=300")).json() == {"total": 12, "items": []}
    some = (await client.get(f"{LIST}?query=Film&skip=9&limit=2")).json()
    assert (some["total"], len(some["items"])) == (12, 2)
    assert (await client.get(f"{LIST}?query=Film&skip=20")).json() == {"total": 12, "items": []}
    assert (await client.get(f"{LIST}?query=nothing")).json() == {"total": 0, "items": []}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("skip=x", "skip"),
        ("skip=-1", "skip"),
        ("skip=9999999999999999999999", "skip"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("query=%00", "query"),
        ("skip=10001", "skip"),
        ("skip=501&query=a", "skip"),
    ],
)
async def test_bad_parameters_are_422(client: httpx.AsyncClient, query: str, name: str) -> None:
    answer = await client.get(f"{LIST}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")
    (complaint,) = answer.json()["detail"]
    assert {*complaint} == {"loc", "msg", "type"}
    assert complaint["loc"] == ["query", name]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_other_methods_are_405(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, LIST)
    assert (answer.status_code, answer.json()["detail"]) == (405, "Method Not Allowed")
    assert "GET" in answer.headers["allow"]


# Strangers have no profile.
HIDING = [*(way for way in WAYS if way != "too old for the profile"), "for members"]


@pytest.mark.parametrize("way", HIDING)
async def test_strangers_see_what_is_for_everyone(
    session: AsyncSession, client: httpx.AsyncClient, editor: httpx.AsyncClient, way: str
) -> None:
    if way == "for members":
        await add_films(session, {"title": HIDDEN, "audience": "members"}, {"title": SHOWN})
    else:
        await add_hidden(session, way)
    for path in (LIST, f"{LIST}?query=Secretum", f"{LIST}?limit=1000"):
        for who in (client, editor):
            answer = await who.get(path)
            assert HIDDEN not in answer.text, "whoever asks: the answer may be kept by proxies"
    assert (await client.get(LIST)).json()["total"] == 1


async def test_any_page_may_read_it(session: AsyncSession, client: httpx.AsyncClient) -> None:
    for query in ("", "?skip=x"):
        answer = await client.get(LIST + query, headers={"Origin": "https://anybody.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    preflight = {"Origin": "https://anybody.example", "Access-Control-Request-Method": "GET"}
    for path in (LIST, "/movies"):
        asked = await client.options(
            path, headers=preflight | {"Access-Control-Request-Headers": "content-type"}
        )
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == "*"
        assert asked.headers["access-control-allow-headers"] == "*"
    other = await client.get("/health/live", headers={"Origin": "https://anybody.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.fixture
async def listed(database: None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that knows one other front end."""
    async with http_client(app_with(cors_origins="https://films.example")) as client:
        yield client


@pytest.mark.parametrize("origin", ["https://films.example", "https://anybody.example"])
async def test_listed_front_ends_change_nothing(
    session: AsyncSession, listed: httpx.AsyncClient, origin: str
) -> None:
    answer = await listed.get(LIST, headers={"Origin": origin})
    assert answer.headers.get_list("access-control-allow-origin") in (["*"], [origin])


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = msgspec.structs.replace(settings, public_catalogue=False)
    monkeypatch.setattr(public, "settings", changed)
    monkeypatch.setattr(posters, "settings", changed)


async def test_list_may_be_closed(
    session: AsyncSession, client: httpx.AsyncClient, closed: None
) -> None:
    (film,) = await add_films(session, {"title": SHOWN})
    answer = await client.get(LIST)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/catalogue-closed")
    assert (await client.get(f"/api/v1/videos/{film}/poster.jpg")).status_code == 401


async def test_strangers_see_posters_of_films_for_everyone(
    session: AsyncSession, client: httpx.AsyncClient
) -> None:
    everyone, members = await add_films(
        session, {"title": SHOWN}, {"title": HIDDEN, "audience": "members"}
    )
    found = (await client.get(f"/api/v1/videos/{everyone}/poster.jpg")).json()
    assert found["type"] == "/problems/stream-not-found", "it has no picture here"
    hidden = (await client.get(f"/api/v1/videos/{members}/poster.jpg")).json()
    assert hidden["type"] == "/problems/video-not-found"
