"""The dialect `movies`: the older wire on the paths of our API."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD, app_with, http_client, sign_in
from test_bad_input import BODIES
from videoflix.movies.providers.catalog import movie_id_of
from videoflix.movies.service import search
from videoflix.movies.service.search import MoviesProviderUnavailable
from videoflix.platform.auth.identity import Role
from videoflix.settings import settings

MOVIES = "/api/v1/movies"
RATINGS = "/api/v1/movies/ratings"
REGISTER = "/api/v1/users/register/"
FIELDS = {"email": "new@example.org", "password": PASSWORD, "first_name": "N", "last_name": "E"}


@pytest.fixture(scope="module")
def older() -> Litestar:
    """An application in which this dialect is switched on."""
    return app_with(dialects=f"{settings.dialects},movies")


@pytest.fixture
async def person(older: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    async with await sign_in(older, session, Role.VIEWER) as client:
        yield client


async def rated(client: httpx.AsyncClient, **more: object) -> dict[str, Any]:
    answer = await client.post(RATINGS, json={"movie_id": str(uuid4()), **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_search(session: AsyncSession, person: httpx.AsyncClient) -> None:
    films = await add_films(session, *({"title": f"Lighthouse {n}"} for n in range(13)))
    page = (await person.get(f"{MOVIES}/?query=lighthouse&page=1")).json()
    assert (page["count"], len(page["results"]), page["previous"]) == (13, 10, None)
    assert page["next"] == "http://test/api/v1/movies/?query=lighthouse&page=2"
    assert {"id", "title", "description", "rating"} <= {*page["results"][0]}
    single = (await person.get(f"{MOVIES}/{movie_id_of(films[0])}/")).json()
    assert single["title"] == "Lighthouse 0"
    unknown = await person.get(f"{MOVIES}/{uuid4()}")
    assert (unknown.status_code, list(unknown.json())) == (404, ["detail"])


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", {"query": ["This field is required."]}),
        ("query=", {"query": ["This field may not be blank."]}),
        ("query=%20", {"query": ["This field may not be blank."]}),
        ("query=a&page=x", {"page": ["A valid integer is required."]}),
        (
            "query=a&page=0",
            {"page": ["Ensure this value is greater than or equal to 1."]},
        ),
        ("query=a&page=7", {"detail": "Invalid page."}),
    ],
)
async def test_bad_searches(person: httpx.AsyncClient, query: str, body: object) -> None:
    answer = await person.get(f"{MOVIES}/?{query}")
    assert (answer.status_code, answer.json()) == (400, body)


async def test_provider_that_fails(
    person: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise MoviesProviderUnavailable(7)

    monkeypatch.setattr(search, "search", fail)
    answer = await person.get(f"{MOVIES}/?query=a")
    assert (answer.status_code, answer.json()) == (503, {"detail": "Data provider error"})
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("kind", ["json", "data"])
async def test_ratings(person: httpx.AsyncClient, kind: str) -> None:
    movie = str(uuid4())
    body: dict[str, Any] = {kind: {"movie_id": movie, "rating_type": "DOWNVOTE", "more": "x"}}
    made = await person.post(RATINGS, **body)
    rating = made.json()
    assert (made.status_code, rating["movie_id"], rating["rating_type"]) == (201, movie, "DOWNVOTE")
    assert {*rating} == {"id", "rating_type", "movie_id", "user_id", "created_at", "updated_at"}
    for name in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", rating[name])
    one = f"{RATINGS}/{rating['id']}"
    assert (await person.get(f"{one}/")).json() == rating
    assert (await person.put(one, json={})).json() == rating
    change: dict[str, Any] = {kind: {"rating_type": "UPVOTE", "movie_id": "no"}}
    up = await person.patch(one, **change)
    assert (up.status_code, up.json()["rating_type"]) == (200, "UPVOTE")
    wrong = await person.put(one, json={"rating_type": "x"})
    assert (wrong.status_code, wrong.json()) == (
        400,
        {"rating_type": ['"x" is not a valid choice.']},
    )
    again = await person.post(RATINGS, **body)
    text = "You can have only one rating per movie"
    assert (again.status_code, again.json()) == (400, {"non_field_errors": [text]})
    gone = await person.delete(one)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await person.get(one)).status_code == 404
    assert (await person.post(RATINGS, **body)).status_code == 201


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"movie_id": ["This field is required."]}),
        ({"movie_id": "x"}, {"movie_id": ["Must be a valid UUID."]}),
        ({"movie_id": None}, {"movie_id": ["This field may not be null."]}),
    ],
)
async def test_bad_ratings(person: httpx.AsyncClient, body: object, errors: object) -> None:
    answer = await person.post(RATINGS, json=body)
    assert (answer.status_code, answer.json()) == (400, errors)


async def test_list_of_ratings(person: httpx.AsyncClient) -> None:
    for number in range(11):
        await rated(person, rating_type="DOWNVOTE" if number == 3 else "UPVOTE")
    page = (await person.get(f"{RATINGS}?page=1&page_size=3&rating_type=")).json()
    assert (page["count"], len(page["results"])) == (11, 10)
    assert page["next"] == "http://test/api/v1/movies/ratings?page=2"
    assert (await person.get(f"{RATINGS}?rating_type=DOWNVOTE")).json()["count"] == 1
    for page_number in ("3", "0", "x", "-1", "99999999999999999999"):
        beyond = await person.get(f"{RATINGS}?page={page_number}")
        assert (beyond.status_code, beyond.json()) == (404, {"detail": "Invalid page."})
    wrong = await person.get(f"{RATINGS}?rating_type=x")
    assert wrong.json() == {"rating_type": ['"x" is not a valid choice.']}


async def test_rating_of_somebody_else(
    older: Litestar, session: AsyncSession, person: httpx.AsyncClient
) -> None:
    one = f"{RATINGS}/{(await rated(person))['id']}"
    async with await sign_in(older, session, Role.ADMIN) as other:
        for answer in (
            await other.get(one),
            await other.put(one, json={"rating_type": "DOWNVOTE"}),
            await other.patch(one, json={}),
            await other.delete(one),
        ):
            assert answer.status_code == 403
            text = "You do not have permission to perform this action."
            assert answer.json() == {"detail": text}
        unknown = await other.get(f"{RATINGS}/999999")
    text = "No MovieRating matches the given query."
    assert (unknown.status_code, unknown.json()) == (404, {"detail": text})
    assert (await person.get(one)).json()["rating_type"] == "UPVOTE"


async def test_strangers(older: Litestar, session: AsyncSession) -> None:
    async with http_client(older) as stranger:
        for path in (f"{MOVIES}/?query=a", RATINGS, f"{RATINGS}/1"):
            answer = await stranger.get(path)
            assert answer.status_code == 401
            assert answer.json() == {"detail": "Authentication credentials were not provided."}
            assert answer.headers["www-authenticate"] == 'Bearer realm="api"'
        refused = await stranger.put(RATINGS)
        assert refused.json() == {"detail": 'Method "PUT" not allowed.'}


async def test_registering(older: Litestar, session: AsyncSession, older_manners: None) -> None:
    async with http_client(older) as stranger:
        made = await stranger.post(REGISTER, json=FIELDS | {"username": "x"})
        person = made.json()
        assert (made.status_code, person.pop("id") > 0) == (201, True)
        names = {"username": None, "first_name": "N", "last_name": "E"}
        assert person == names | {"email": "new@example.org"}
        await session.execute(text("update user_account set confirmed_at = now()"))
        await session.commit()
        taken = await stranger.post(REGISTER, json=FIELDS)
        said = "user with this email already exists."
        assert (taken.status_code, taken.json()) == (400, {"email": [said]})
        short = await stranger.post(REGISTER, json=FIELDS | {"password": "short"})
        said = "Ensure this field has at least 8 characters."
        assert (short.status_code, short.json()) == (400, {"password": [said]})
        none = await stranger.post(REGISTER, json={})
        required = ["This field is required."]
        assert none.json() == {"email": required, "password": required}


async def test_ratings_are_listed_oldest_first(person: httpx.AsyncClient) -> None:
    made = [(await rated(person))["id"] for _ in range(3)]
    found = (await person.get(RATINGS)).json()["results"]
    assert [rating["id"] for rating in found] == made


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", ["abc", "1.5", "9" * 30, "-1"])
async def test_names_that_are_no_number(person: httpx.AsyncClient, method: str, name: str) -> None:
    answer = await person.request(method, f"{RATINGS}/{name}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("reason", BODIES)
async def test_garbage_is_refused(person: httpx.AsyncClient, reason: str) -> None:
    one = f"{RATINGS}/{(await rated(person))['id']}"
    for method, path in (("POST", RATINGS), ("PUT", one), ("PATCH", one), ("POST", REGISTER)):
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            answer = await person.request(
                method, path, content=BODIES[reason], headers={"Content-Type": kind}
            )
            assert answer.status_code < 500, f"{method} {path} {kind}: {answer.text}"


async def test_without_it_errors_are_problems_but_clients_can_register(
    viewer: httpx.AsyncClient,
) -> None:
    answer = await viewer.get(f"{MOVIES}/")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await viewer.post(REGISTER, json=FIELDS)).status_code == 201
