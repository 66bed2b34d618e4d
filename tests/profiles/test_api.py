"""Profiles: several people on one account."""

import asyncio

import httpx
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from queue_helpers import rows
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Identity, Role
from videoflix.platform.postgres.session import transaction
from videoflix.profiles.schemas import ProfileCreate
from videoflix.profiles.service import Profiles

PROFILES = "/api/v1/me/profiles"
VIDEOS = "/api/v1/videos"


async def add(client: httpx.AsyncClient, name: str, **fields: object) -> dict[str, object]:
    answer = await client.post(PROFILES, json={"name": name} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


async def test_first_profile_is_there_without_asking(viewer: httpx.AsyncClient) -> None:
    (first,) = (await viewer.get(PROFILES)).json()
    assert (first["name"], first["is_first"], first["locked"]) == ("Viewer", True, False)
    assert (await viewer.delete(f"{PROFILES}/{first['id']}")).status_code == 409


async def test_account_has_five_profiles_at_most(viewer: httpx.AsyncClient) -> None:
    for number in range(4):
        await add(viewer, f"P{number}")
    refused = await viewer.post(PROFILES, json={"name": "P5"})
    assert refused.json()["type"] == "/problems/too-many-profiles"


async def test_names_are_unique_within_the_account(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    kid = await add(viewer, "Kid")
    await add(editor, "Kid")
    assert (await viewer.post(PROFILES, json={"name": "Kid"})).status_code == 409
    renamed = await viewer.patch(f"{PROFILES}/{kid['id']}", json={"name": "Viewer"})
    assert renamed.json()["type"] == "/problems/name-taken"


async def test_profiles_of_others_are_not_there(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    foreign = f"{PROFILES}/{(await add(editor, 'Kid'))['id']}"
    assert (await viewer.patch(foreign, json={"name": "x"})).status_code == 404
    assert (await viewer.delete(foreign)).status_code == 404
    assert (await viewer.post(f"{foreign}/unlock", json={"pin": "1"})).status_code == 404
    viewer.headers["X-Profile"] = foreign.rpartition("/")[2]
    answer = await viewer.get(VIDEOS)
    assert answer.json()["type"] == "/problems/profile-not-found"


@pytest.mark.parametrize("named", ["0", "999999", "x", "-1", "9" * 30, "a.b.c"])
async def test_profile_that_is_none_is_refused(viewer: httpx.AsyncClient, named: str) -> None:
    viewer.headers["X-Profile"] = named
    assert (await viewer.get(VIDEOS)).status_code == 404


async def test_pin_guards_a_profile(viewer: httpx.AsyncClient) -> None:
    made = await add(viewer, "Mum", pin="4711")
    viewer.headers["X-Profile"] = str(made["id"])
    assert (await viewer.get(VIDEOS)).json()["type"] == "/problems/profile-locked"
    wrong = await viewer.post(f"{PROFILES}/{made['id']}/unlock", json={"pin": "0000"})
    assert wrong.json()["type"] == "/problems/pin-wrong"
    key = await viewer.post(f"{PROFILES}/{made['id']}/unlock", json={"pin": "4711"})
    viewer.headers["X-Profile"] = key.json()["key"]
    assert (await viewer.get(VIDEOS)).status_code == 200


async def test_pins_cannot_be_tried_for_long(viewer: httpx.AsyncClient) -> None:
    made = await add(viewer, "Mum", pin="4711")
    answers = [
        (await viewer.post(f"{PROFILES}/{made['id']}/unlock", json={"pin": f"{n:04}"})).status_code
        for n in range(6)
    ]
    assert answers == [400] * 5 + [429]


async def test_key_is_for_one_profile_of_one_sign_in(
    app: Litestar, viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    made = await add(viewer, "Mum", pin="4711")
    key = (await viewer.post(f"{PROFILES}/{made['id']}/unlock", json={"pin": "4711"})).json()["key"]
    credentials = {"email": "viewer@example.org", "password": PASSWORD}
    pair = (await client.post("/api/v1/auth/token", json=credentials)).json()
    headers = {"Authorization": f"Bearer {pair['access']}", "X-Profile": key}
    assert (await client.get(VIDEOS, headers=headers)).status_code == 404


async def test_limits_change_only_with_the_password(viewer: httpx.AsyncClient) -> None:
    kid = await add(viewer, "Kid", max_age_rating=6)
    path = f"{PROFILES}/{kid['id']}"
    refused = await viewer.patch(path, json={"max_age_rating": None})
    assert refused.json()["type"] == "/problems/password-needed"
    wrong = await viewer.patch(path, json={"max_age_rating": None, "password": "wrong"})
    assert wrong.json()["type"] == "/problems/password-wrong"
    changed = await viewer.patch(path, json={"max_age_rating": 12, "password": PASSWORD})
    assert changed.json()["max_age_rating"] == 12
    assert (await viewer.patch(path, json={"avatar": "fox"})).json()["avatar"] == "fox"


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": " "}, {"name": "x" * 51}, {"pin": "12"}, {"pin": "abcd"},
     {"max_age_rating": -1}, {"language": "xx"}],
)  # fmt: skip
async def test_bad_profiles_are_refused(
    viewer: httpx.AsyncClient, fields: dict[str, object]
) -> None:
    assert (await viewer.post(PROFILES, json={"name": "Kid"} | fields)).status_code == 400


async def test_racing_additions_stay_at_five(committed: None) -> None:
    async with transaction() as session:
        user = await Accounts(session).create_user(email="a@example.org", password=PASSWORD)

    async def one(number: int) -> None:
        async with transaction() as session:
            await Profiles(session).add(
                Identity(user.id, Role.VIEWER, 0), ProfileCreate(name=f"P{number}")
            )

    results = await asyncio.gather(*map(one, range(10)), return_exceptions=True)
    assert sum(result is None for result in results) == 4
    assert len(await rows("select id from profile")) == 5


async def test_racing_first_uses_make_one_profile(committed: None) -> None:
    async with transaction() as session:
        user = await Accounts(session).create_user(email="a@example.org", password=PASSWORD)

    async def first() -> int:
        async with transaction() as session:
            return (await Profiles(session).first(user.id)).id

    assert len({*await asyncio.gather(*[first() for _ in range(10)])}) == 1


async def test_deleted_profile_takes_its_lists_along(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    kid = await add(viewer, "Kid")
    assert (await viewer.delete(f"{PROFILES}/{kid['id']}")).status_code == 204
    assert [one["name"] for one in (await viewer.get(PROFILES)).json()] == ["Viewer"]
