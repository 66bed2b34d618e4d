"""What the profile of a child may not do, and what proves that an adult asks."""

import httpx
import pytest

from conftest import PASSWORD
from profiles.test_api import PROFILES, VIDEOS, add

NEEDED = "/problems/password-needed"


@pytest.fixture
async def family(viewer: httpx.AsyncClient) -> dict[str, str]:
    """Paths of the profiles; the child's acts from now on, and the adults' ones are locked."""
    (first,) = (await viewer.get(PROFILES)).json()
    kid = await add(viewer, "Kid", max_age_rating=6)
    mum = await add(viewer, "Mum", pin="4711")
    locked = {"pin": "1234", "password": PASSWORD}
    assert (await viewer.patch(f"{PROFILES}/{first['id']}", json=locked)).status_code == 200
    viewer.headers["X-Profile"] = str(kid["id"])
    ids = {"first": first["id"], "kid": kid["id"], "mum": mum["id"]}
    return {name: f"{PROFILES}/{number}" for name, number in ids.items()}


@pytest.mark.parametrize("acting", ["kid", "nobody", "mum"])
async def test_child_decides_nothing(
    viewer: httpx.AsyncClient, family: dict[str, str], acting: str
) -> None:
    """Nor does it help to name no profile, or a locked one."""
    if acting == "nobody":
        del viewer.headers["X-Profile"]
    else:
        viewer.headers["X-Profile"] = family[acting].rpartition("/")[2]
    for method, path, body in (
        ("POST", PROFILES, {"name": "Free"}),
        ("POST", PROFILES, {"name": "Older", "max_age_rating": 18}),
        ("PATCH", family["kid"], {"max_age_rating": None}),
        ("PATCH", family["kid"], {"pin": "0000"}),
        ("PATCH", family["mum"], {"name": "Kid's"}),
        ("PATCH", family["mum"], {"pin": None}),
        ("DELETE", family["mum"], None),
        ("PATCH", "/api/v1/me", {"first_name": "Kid"}),
        ("GET", "/api/v1/me/export", None),
        ("POST", "/api/v1/me/tokens", {"name": "t"}),
    ):
        refused = await viewer.request(method, path, json=body)
        assert refused.status_code == 403, f"{method} {path}: {refused.text}"
        assert refused.json()["type"] == NEEDED
    assert len((await viewer.get(PROFILES)).json()) == 3


async def test_child_changes_its_own_picture_and_nobody_elses(
    viewer: httpx.AsyncClient, family: dict[str, str]
) -> None:
    assert (await viewer.patch(family["kid"], json={"avatar": "fox"})).status_code == 200
    assert (await viewer.patch(family["first"], json={"avatar": "fox"})).status_code == 403


@pytest.mark.parametrize("proof", ["password", "pin"])
async def test_password_or_pin_of_an_adult_decides(
    viewer: httpx.AsyncClient, family: dict[str, str], proof: str
) -> None:
    more = {"password": PASSWORD} if proof == "password" else {}
    if proof == "pin":
        opened = await viewer.post(f"{family['mum']}/unlock", json={"pin": "4711"})
        viewer.headers["X-Profile"] = opened.json()["key"]
    changed = await viewer.patch(family["kid"], json={"max_age_rating": 12} | more)
    assert changed.status_code == 200
    assert (await viewer.post(PROFILES, json={"name": "Dad"} | more)).status_code == 201
    gone = await viewer.request("DELETE", family["mum"], json=more or None)
    assert gone.status_code == 204


async def test_key_ends_with_the_pin_it_was_made_with(
    viewer: httpx.AsyncClient, family: dict[str, str]
) -> None:
    opened = await viewer.post(f"{family['mum']}/unlock", json={"pin": "4711"})
    viewer.headers["X-Profile"] = opened.json()["key"]
    assert (await viewer.get(VIDEOS)).status_code == 200
    changed = await viewer.patch(family["mum"], json={"pin": "9999", "password": PASSWORD})
    assert changed.status_code == 200
    refused = await viewer.patch(family["kid"], json={"max_age_rating": None})
    assert refused.json()["type"] == NEEDED


async def test_pin_of_a_child_proves_nothing(viewer: httpx.AsyncClient) -> None:
    kid = await add(viewer, "Kid", max_age_rating=6, pin="1111")
    opened = await viewer.post(f"{PROFILES}/{kid['id']}/unlock", json={"pin": "1111"})
    viewer.headers["X-Profile"] = opened.json()["key"]
    path = f"{PROFILES}/{kid['id']}"
    for change in ({"max_age_rating": None}, {"pin": None}):
        assert (await viewer.patch(path, json=change)).json()["type"] == NEEDED


async def test_guesses_at_the_password_are_limited(
    viewer: httpx.AsyncClient, family: dict[str, str]
) -> None:
    """All routes that ask for it count together; a right one sets the count back."""
    wrong = {"max_age_rating": None, "password": "wrong"}
    for _ in range(5):
        assert (await viewer.patch(family["kid"], json=wrong)).status_code == 400
    right = {"max_age_rating": 7, "password": PASSWORD}
    assert (await viewer.patch(family["kid"], json=right)).status_code == 200
    statuses = [(await viewer.patch(family["kid"], json=wrong)).status_code for _ in range(4)]
    body = {"current": "wrong", "password": "another good password"}
    other = [
        (await viewer.post("/api/v1/auth/password/change", json=body)).status_code for _ in range(3)
    ]
    assert statuses + other == [400] * 6 + [429]
    closing = await viewer.request("DELETE", "/api/v1/me", json={"password": PASSWORD})
    assert closing.status_code == 429
