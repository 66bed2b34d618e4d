"""Searching the provider: the wire, its links, and what is refused."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from movies.conftest import FakeProvider
from movies.provider import MOVIES
from videoflix.movies.service.answer_cache import answer_cache

SEARCH = "/api/v1/movies"


async def test_page_is_the_older_wire_and_more(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    answer = await viewer.get(f"{SEARCH}?query=matrix&page=2")
    page = answer.json()
    assert (answer.status_code, page["count"], len(page["results"])) == (200, 48, 10)
    assert page["results"][0] == {
        "id": MOVIES[21]["id"],
        "title": "The Matrix",
        "description": "Film number 21.",
        "rating": 5.5,
        "image_url": "https://pictures.example/21.jpg",
        "upvotes": 0,
        "downvotes": 0,
        "my_vote": None,
    }
    assert page["next"] == "http://test/api/v1/movies/?query=matrix&page=3"
    assert page["previous"] == "http://test/api/v1/movies/?query=matrix&page=1"
    assert page["stale"] is False
    assert "warning" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"


async def test_links_lead_through_all_pages(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    url, found = f"{SEARCH}/?query=The%20Matrix", []
    while url:
        page = (await viewer.get(url)).json()
        found += [movie["id"] for movie in page["results"]]
        url = page["next"]
    assert len(found) == len(set(found)) == 48
    assert page["previous"].endswith("page=4")


async def test_links_escape_what_was_searched_for(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    page = (await viewer.get(SEARCH, params={"query": "a&page=7#ü +"})).json()
    assert (page["count"], page["next"]) == (0, None)
    page = (await viewer.get(SEARCH, params={"query": "a"})).json()
    assert page["next"]
    page = (await viewer.get(SEARCH, params={"query": "é", "page": 1})).json()
    query = parse_qs(urlsplit(page["next"]).query)
    assert query == {"query": ["é"], "page": ["2"]}


BAD = ["query=", "query=%20%09", "query=a&page=0", "query=a&page=-1", "query=a&page=x"]
BAD += ["", "query=a&page=99", "query=nothing&page=2", "query=a%00b", f"query={'a' * 201}"]


@pytest.mark.parametrize("query", BAD)
async def test_bad_questions_are_400(
    provider: FakeProvider, viewer: httpx.AsyncClient, query: str
) -> None:
    answer = await viewer.get(f"{SEARCH}?{query}")
    assert answer.status_code == 400
    assert answer.json()["type"] in {"/problems/invalid-input", "/problems/page-invalid"}


async def test_wrong_parameter_is_named_as_it_was_sent(viewer: httpx.AsyncClient) -> None:
    (error,) = (await viewer.get(f"{SEARCH}?query=%00")).json()["errors"]
    assert error["field"] == "query"


async def test_first_page_may_be_empty(provider: FakeProvider, viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get(f"{SEARCH}?query=nothing&page=1")).json()
    assert page == {"count": 0, "next": None, "previous": None, "results": [], "stale": False}


async def test_strangers_do_not_search(provider: FakeProvider, client: httpx.AsyncClient) -> None:
    for path in (f"{SEARCH}?query=a", f"{SEARCH}/{MOVIES[0]['id']}", f"{SEARCH}/ratings"):
        answer = await client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]
    assert provider.asked() == 0


async def test_single_movie_is_found_in_the_whole_list(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    movie = (await viewer.get(f"{SEARCH}/{MOVIES[95]['id']}")).json()
    assert (movie["title"], movie["stale"]) == (MOVIES[95]["title"], False)
    for other in MOVIES[10:20]:
        assert (await viewer.get(f"{SEARCH}/{other['id']}")).status_code == 200
    assert provider.asked() == 1, "the list is read once"
    unknown = await viewer.get(f"{SEARCH}/00000000-0000-4000-8000-ffffffffffff")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/movie-not-found")
    assert (await viewer.get(f"{SEARCH}/no-uuid")).status_code == 404


async def test_movie_that_was_found_is_known(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    (first, *_) = (await viewer.get(f"{SEARCH}?query=inception")).json()["results"]
    provider.stop()
    movie = (await viewer.get(f"{SEARCH}/{first['id']}")).json()
    assert movie == first | {"stale": False}


async def test_earliest_form_of_a_movie_is_understood(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    provider.be("titles-only")
    (movie,) = (await viewer.get(f"{SEARCH}?query=a")).json()["results"]
    assert (movie["description"], movie["image_url"], movie["rating"]) == ("", None, 0.0)


async def test_nul_in_a_title_is_kept(provider: FakeProvider, viewer: httpx.AsyncClient) -> None:
    provider.be("nul")
    (movie,) = (await viewer.get(f"{SEARCH}?query=a")).json()["results"]
    answer_cache.clear()
    assert (await viewer.get(f"{SEARCH}/{movie['id']}")).json()["title"] == "a\0b"
    assert provider.asked() == 1, "Postgres knows it"


async def test_picture_is_an_address_of_the_web(
    provider: FakeProvider, viewer: httpx.AsyncClient
) -> None:
    provider.be("script")
    (movie,) = (await viewer.get(f"{SEARCH}?query=a")).json()["results"]
    assert movie["image_url"] is None
