"""Votes on movies: exact under any race, one's own, whatever the provider does."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from catalog.factories import add_films
from conftest import PASSWORD, http_client
from queue_helpers import execute, rows
from videoflix.accounts.service import Accounts
from videoflix.movies.providers.catalog import movie_id_of
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

RATINGS = "/api/v1/movies/ratings"
MOVIE = "5ab8e2c6-0c9b-4c1f-9a6e-2f1f8a2f7f11"
DRIFT = """
select count(*) as n from movie_tally tally full join (
    select movie_id, count(*) filter (where rating_type = 'UPVOTE') as up,
           count(*) filter (where rating_type = 'DOWNVOTE') as down
    from movie_rating group by movie_id) as votes using (movie_id)
where (upvotes, downvotes) is distinct from (coalesce(up, 0), coalesce(down, 0))
"""


async def vote(
    client: httpx.AsyncClient, movie_id: object = MOVIE, **more: object
) -> httpx.Response:
    return await client.post(RATINGS, json={"movie_id": str(movie_id), **more})


async def test_vote_is_the_older_wire(viewer: httpx.AsyncClient) -> None:
    voted = await vote(viewer, unknown="is ignored")
    assert voted.status_code == 201
    rating = voted.json()
    assert {*rating} == {
        "id", "rating_type", "movie_id", "user_id", "created_at", "updated_at"
    }  # fmt: skip
    assert (rating["rating_type"], rating["movie_id"]) == ("UPVOTE", MOVIE)
    assert rating["user_id"] == (await viewer.get("/api/v1/me")).json()["id"]
    one = f"{RATINGS}/{rating['id']}"
    assert (await viewer.get(one)).json() == rating
    assert (await viewer.put(one, json={})).json()["rating_type"] == "UPVOTE"
    down = (await viewer.put(one, json={"rating_type": "DOWNVOTE", "movie_id": "x"})).json()
    assert (down["rating_type"], down["movie_id"]) == ("DOWNVOTE", MOVIE)
    assert down["updated_at"] >= rating["updated_at"]
    up = await viewer.patch(one, json={"rating_type": "UPVOTE"})
    assert (up.status_code, up.json()["rating_type"]) == (200, "UPVOTE")
    assert (await viewer.delete(one)).status_code == 204
    assert (await viewer.get(one)).status_code == 404
    assert (await vote(viewer, rating_type="DOWNVOTE")).status_code == 201, "again after that"


async def test_export_holds_votes(viewer: httpx.AsyncClient) -> None:
    rating = (await vote(viewer)).json()
    assert (await viewer.get("/api/v1/me/export")).json()["movie_ratings"] == [rating]


async def test_slash_at_the_end_makes_no_difference(viewer: httpx.AsyncClient) -> None:
    voted = await viewer.post(f"{RATINGS}/", json={"movie_id": MOVIE})
    assert voted.status_code == 201
    one = f"{RATINGS}/{voted.json()['id']}/"
    assert (await viewer.get(one)).status_code == 200
    assert (await viewer.patch(one, json={})).status_code == 200
    assert (await viewer.get(f"{RATINGS}/?rating_type=UPVOTE")).json()["count"] == 1
    assert (await viewer.delete(one)).status_code == 204


async def test_second_vote_is_a_conflict(viewer: httpx.AsyncClient) -> None:
    await vote(viewer)
    again = await vote(viewer, rating_type="DOWNVOTE")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/movie-rated-already")
    assert (await viewer.get(RATINGS)).json()["results"][0]["rating_type"] == "UPVOTE"


async def test_own_votes_are_listed_by_kind_and_page(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    await vote(editor)
    for number in range(23):
        await vote(viewer, uuid4(), rating_type="DOWNVOTE" if number % 2 else "UPVOTE")
    first = (await viewer.get(f"{RATINGS}?page_size=100")).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (23, 10, None)
    assert first["next"] == "http://test/api/v1/movies/ratings?page=2"
    assert first["results"][0]["id"] > first["results"][9]["id"]
    last = (await viewer.get(f"{RATINGS}?page=3")).json()
    assert (len(last["results"]), last["next"]) == (3, None)
    down = (await viewer.get(f"{RATINGS}?rating_type=DOWNVOTE")).json()
    assert down["count"] == 11
    assert down["next"] == "http://test/api/v1/movies/ratings?rating_type=DOWNVOTE&page=2"
    assert (await viewer.get(f"{RATINGS}?rating_type=")).json()["count"] == 23
    for query in ("page=4", "page=0", "page=x", "rating_type=SIDEVOTE", "rating_type=upvote"):
        assert (await viewer.get(f"{RATINGS}?{query}")).status_code == 400, query
    assert (await editor.get(f"{RATINGS}?rating_type=DOWNVOTE")).json()["results"] == []


@pytest.mark.parametrize(
    "body", [{}, {"movie_id": "x"}, {"movie_id": 7}, {"movie_id": None}, {"rating_type": "UPVOTE"}]
)
async def test_vote_needs_a_uuid(viewer: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await viewer.post(RATINGS, json=body)).status_code == 400
    assert (await vote(viewer, rating_type="x")).status_code == 400


async def test_votes_of_others_do_not_exist(
    viewer: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    one = f"{RATINGS}/{(await vote(viewer)).json()['id']}"
    for answer in (
        await admin.get(one),
        await admin.put(one, json={"rating_type": "DOWNVOTE"}),
        await admin.patch(one, json={}),
        await admin.delete(one),
        await admin.get(f"{RATINGS}/x"),
        await admin.get(f"{RATINGS}/999999"),
    ):
        assert answer.status_code == 404
    assert (await viewer.get(one)).json()["rating_type"] == "UPVOTE"


async def test_votes_stand_next_to_the_movie(
    people: list[httpx.AsyncClient],
) -> None:
    async with transaction() as session:
        (film,) = await add_films(session, {"title": "Voted"})
    for number, person in enumerate(people[:3]):
        await vote(person, movie_id_of(film), rating_type="UPVOTE" if number else "DOWNVOTE")
    shown = (await people[0].get("/api/v1/movies?query=voted")).json()["results"][0]
    assert (shown["upvotes"], shown["downvotes"], shown["my_vote"]) == (2, 1, "DOWNVOTE")
    single = (await people[3].get(f"/api/v1/movies/{shown['id']}")).json()
    assert (single["upvotes"], single["downvotes"], single["my_vote"]) == (2, 1, None)


@pytest.fixture
async def people(app: Litestar, committed: None) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Eight people whose requests have connections of their own."""
    people = []
    async with transaction() as session:
        for number in range(8):
            user = await Accounts(session).create_user(
                email=f"{number}@example.org", password=PASSWORD
            )
            pair = await Sessions(session).open(user)
            people.append(http_client(app, {"Authorization": f"Bearer {pair.access}"}))
    yield people
    for person in people:
        await person.aclose()


async def test_one_vote_of_many_at_once_counts(people: list[httpx.AsyncClient]) -> None:
    answers = await asyncio.gather(*[vote(people[0]) for _ in range(12)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert await rows("select upvotes, downvotes from movie_tally") == [
        {"upvotes": 1, "downvotes": 0}
    ]


async def test_counts_are_exact_whatever_happens_at_once(people: list[httpx.AsyncClient]) -> None:
    movies = [UUID(int=number) for number in range(3)]
    chance = random.Random(7)

    async def act(person: httpx.AsyncClient) -> None:
        for _ in range(6):
            kind = chance.choice(["UPVOTE", "DOWNVOTE"])
            mine = (await person.get(RATINGS)).json()["results"]
            action = chance.random()
            if not mine or action < 0.5:
                answer = await vote(person, chance.choice(movies), rating_type=kind)
                assert answer.status_code in {201, 409}
            elif action < 0.8:
                one = f"{RATINGS}/{chance.choice(mine)['id']}"
                answer = await person.patch(one, json={"rating_type": kind})
                assert answer.status_code in {200, 404}
            else:
                answer = await person.delete(f"{RATINGS}/{chance.choice(mine)['id']}")
                assert answer.status_code in {204, 404}

    # Two devices of each person.
    await asyncio.gather(*[act(person) for person in people * 2])
    assert await rows(DRIFT) == [{"n": 0}]
    (voted,) = await rows("select count(*) as n from movie_rating")
    assert voted["n"] > 0
    await execute("delete from user_account where id % 2 = 0")
    assert await rows(DRIFT) == [{"n": 0}], "closed accounts take their votes along"


async def test_closing_accounts_at_once_does_not_lock_up(people: list[httpx.AsyncClient]) -> None:
    ids = [row["id"] for row in await rows("select id from user_account order by id")]
    for user_id in ids:
        order = "n" if user_id % 2 else "-n"
        await execute(
            "insert into movie_rating (user_id, movie_id, rating_type, created_at, updated_at)"
            " select :id, md5(n::text)::uuid, 'UPVOTE', now(), now()"
            f" from generate_series(1, 2000) as n order by {order}",
            id=user_id,
        )
    await asyncio.gather(
        *[execute("delete from user_account where id = :id", id=user_id) for user_id in ids]
    )
    assert await rows(DRIFT) == [{"n": 0}]
    (left,) = await rows("select sum(upvotes + downvotes) as n from movie_tally")
    assert left["n"] == 0
