"""The client of November 7 against what the provider was recorded to ask for and to answer."""

from uuid import UUID

import msgspec
import pytest

from movies.conftest import FakeProvider
from movies.provider import MOVIES
from videoflix.movies.providers import registry
from videoflix.movies.providers.november7 import Items
from videoflix.movies.providers.provider import ProviderFailed
from videoflix.profiles.schemas import ANONYMOUS

RECORDED = {
    "a page": b"""
        {"total": 3, "items": [
          {"id": "5ab8e2c6-0c9b-4c1f-9a6e-2f1f8a2f7f11", "title": "The Matrix",
           "description": "A hacker learns the truth.", "image_url": "https://m.example/1.jpg",
           "rating": 8.7},
          {"id": "0d6f9d5e-6f3c-4c62-8a52-1be8fb0c8f10", "title": "The Matrix",
           "description": "", "image_url": "", "rating": 8}
        ]}""",
    "nothing": b'{"total": 0, "items": []}',
    "past the end": b'{"total": 96, "items": []}',
    "its first version": b"""
        {"total": 96, "items": [{"id": "5ab8e2c6-0c9b-4c1f-9a6e-2f1f8a2f7f11", "title": "Avatar"}]}
    """,
    "fields of a later version": b"""
        {"total": 1, "page": 1, "items": [{"id": "5ab8e2c60c9b4c1f9a6e2f1f8a2f7f11", "title": "A",
         "description": null, "image_url": null, "rating": null, "year": 1999}]}""",
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_answers_are_understood(name: str) -> None:
    items = msgspec.json.decode(RECORDED[name], type=Items)
    movies = [item.movie() for item in items.items]
    assert items.total >= len(movies)
    for movie in movies:
        assert movie.title
        assert isinstance(movie.rating, float | int)
        assert movie.image_url is None or movie.image_url.startswith("https://")


async def test_questions_are_as_recorded(provider: FakeProvider) -> None:
    page = await registry.november7(ANONYMOUS).search("the matrix", 2)
    assert (page.total, len(page.items)) == (48, 10)
    assert page.items[0].id == UUID(str(MOVIES[21]["id"]))
    last = provider.last()
    assert last["path"] == "/movies/?skip=10&limit=10&query=the+matrix"
    assert last["accept"] == "application/json"
    assert last["user-agent"].startswith("videoflix/")
    assert {"authorization", "cookie"}.isdisjoint(last), "nothing of ours is told"


async def test_list_that_never_ends_is_read_only_so_far(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoflix.movies.providers.november7.LISTED", 10)
    monkeypatch.setattr("videoflix.movies.providers.november7.READ_MAX", 50)
    known = registry.november7(ANONYMOUS)
    assert await known.movie(UUID(str(MOVIES[95]["id"]))) is None
    assert provider.asked() == 5


async def test_reading_the_list_ends_at_the_time_out(provider: FakeProvider) -> None:
    provider.be("slow")
    with pytest.raises(ProviderFailed):
        await registry.november7(ANONYMOUS).movie(UUID(str(MOVIES[1]["id"])))
