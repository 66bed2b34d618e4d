"""Our own catalogue as the provider, which it is where nothing else is set."""

from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from catalog.test_visibility import HIDDEN, SHOWN, WAYS, add_hidden
from videoflix.app import create_app
from videoflix.movies.providers import registry
from videoflix.movies.providers.catalog import movie_id_of, video_id_of
from videoflix.settings import Settings, settings

SEARCH = "/api/v1/movies"


def test_ids_lead_back_to_films() -> None:
    for number in (1, 7, 2**62 - 1):
        made = movie_id_of(number)
        assert (made.version, made.variant) == (8, "specified in RFC 4122")
        assert video_id_of(made) == number
    assert str(movie_id_of(1)) == "76696466-6c78-8000-8000-000000000001"
    assert video_id_of(uuid4()) is None
    assert video_id_of(UUID(int=0)) is None


async def test_search_works_with_nothing_configured(
    session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    assert Settings().movies_provider == "catalog"
    films = [{"title": f"Lighthouse {n}", "description": "At sea."} for n in range(12)]
    ids = await add_films(
        session, *films, {"title": "Harbour", "upvotes": 3, "downvotes": 1, "poster": "p/v1/x.jpg"}
    )
    page = (await viewer.get(f"{SEARCH}?query=lighthouse&page=2")).json()
    assert (page["count"], len(page["results"]), page["next"]) == (12, 2, None)
    assert page["previous"] == "http://test/api/v1/movies/?query=lighthouse&page=1"
    (harbour,) = (await viewer.get(f"{SEARCH}?query=harbour")).json()["results"]
    assert harbour == {
        "id": str(movie_id_of(ids[-1])),
        "title": "Harbour",
        "description": "",
        "rating": 7.5,
        "image_url": f"http://test/api/v1/videos/{ids[-1]}/poster.jpg?v=v1",
        "upvotes": 0,
        "downvotes": 0,
        "my_vote": None,
    }
    single = (await viewer.get(f"{SEARCH}/{harbour['id']}")).json()
    assert single == harbour | {"stale": False}
    assert (await viewer.get(f"{SEARCH}?query=lighthouse&page=3")).status_code == 400
    assert (await viewer.get(f"{SEARCH}?query=lighthouse&page=900000")).status_code == 400


@pytest.mark.parametrize("way", WAYS)
async def test_hidden_films_are_no_movies(
    session: AsyncSession, viewer: httpx.AsyncClient, way: str
) -> None:
    made = await viewer.post("/api/v1/me/profiles", json={"name": "Kid", "max_age_rating": 12})
    viewer.headers["X-Profile"] = str(made.json()["id"])
    hidden = await add_hidden(session, way)
    page = (await viewer.get(f"{SEARCH}?query=same")).json()
    assert [movie["title"] for movie in page["results"]] == [SHOWN]
    assert page["count"] == 1
    single = await viewer.get(f"{SEARCH}/{movie_id_of(hidden)}")
    assert (single.status_code, HIDDEN in single.text) == (404, False)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"movies_provider": "netflix"}, "MOVIES_PROVIDER is wrong: expected one of catalog"),
        ({"movies_provider": "november7"}, "MOVIES_URL is wrong"),
        ({"movies_provider": "november7", "movies_url": "ftp://x"}, "MOVIES_URL is wrong"),
        ({"movies_provider": "november7", "movies_url": "https://"}, "MOVIES_URL is wrong"),
    ],
)
def test_wrong_settings_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], sentence: str
) -> None:
    monkeypatch.setattr(registry, "settings", msgspec.structs.replace(settings, **changes))
    with pytest.raises(SystemExit, match=sentence):
        create_app()
