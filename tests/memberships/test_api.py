"""Plans, and who has which."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films

PLANS = "/api/v1/plans"
MEMBERSHIPS = "/api/v1/memberships"
FAMILY = {"name": "Family", "price": 1299, "currency": "EUR", "streams": 3}


async def add_plan(admin: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    answer = await admin.post(PLANS, json=FAMILY | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def number_of(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/v1/me")).json()["id"])


async def test_plans_are_offered_to_everybody_and_made_by_admins(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    family = await add_plan(admin)
    await add_plan(admin, name="Old", price=100, is_offered=False)
    assert [plan["name"] for plan in (await viewer.get(PLANS)).json()] == ["Family"]
    assert [plan["name"] for plan in (await admin.get(PLANS)).json()] == ["Old", "Family"]
    changed = await admin.patch(f"{PLANS}/{family['id']}", json={"streams": 4})
    assert (changed.json()["streams"], changed.json()["price"]) == (4, 1299)
    assert (await admin.post(PLANS, json=FAMILY)).json()["type"] == "/problems/plan-taken"
    assert (await admin.patch(f"{PLANS}/999", json={})).status_code == 404
    assert (await viewer.post(PLANS, json=FAMILY)).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": -1}, "price"),
        ({"price": 9.99}, "price"),
        ({"currency": "XXX"}, "currency"),
        ({"streams": 0}, "streams"),
        ({"profiles": 6}, "profiles"),
        ({"period": "week"}, "period"),
        ({"name": ""}, "name"),
    ],
)
async def test_bad_plans_name_the_field(
    admin: httpx.AsyncClient, change: dict[str, object], field: str
) -> None:
    answer = await admin.post(PLANS, json=FAMILY | change)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


async def test_membership_is_given_changed_and_cancelled(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    plan, number = await add_plan(admin), await number_of(viewer)
    body = {"user_id": number, "plan_id": plan["id"]}
    given = (await admin.post(MEMBERSHIPS, json=body)).json()
    assert (given["standing"], given["streams"], given["plan"]["name"]) == ("active", 3, "Family")
    mine = (await viewer.get("/api/v1/me/membership")).json()
    assert (mine["membership"]["id"], mine["streams"], mine["streams_in_use"]) == (
        given["id"],
        3,
        0,
    )
    again = await admin.post(MEMBERSHIPS, json=body)
    assert again.json()["type"] == "/problems/member-already"
    path = f"{MEMBERSHIPS}/{given['id']}"
    assert (await admin.patch(path, json={"streams_override": 5})).json()["streams"] == 5
    assert (await admin.post(f"{path}/cancel")).json()["standing"] == "cancelled"
    assert (await admin.patch(path, json={"cancelled": False})).json()["standing"] == "active"
    assert (await admin.get(MEMBERSHIPS)).json()["total"] == 1
    assert (await viewer.get(MEMBERSHIPS)).status_code == 403


@pytest.mark.parametrize(
    ("dates", "standing"),
    [
        ({"starts_at": "2100-01-01T00:00:00Z"}, "future"),
        ({"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-02-01T00:00:00Z"}, "expired"),
        ({"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2100-01-01T00:00:00Z"}, "active"),
    ],
)
async def test_membership_stands_by_its_dates(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, dates: dict[str, str], standing: str
) -> None:
    plan, number = await add_plan(admin), await number_of(viewer)
    given = await admin.post(MEMBERSHIPS, json={"user_id": number, "plan_id": plan["id"]} | dates)
    assert given.json()["standing"] == standing


async def test_bad_memberships_are_refused(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    plan, number = await add_plan(admin), await number_of(viewer)
    good = {"user_id": number, "plan_id": plan["id"]}
    reversed_dates = {"starts_at": "2021-01-01T00:00:00Z", "ends_at": "2020-01-01T00:00:00Z"}
    for change, kind in (
        ({"user_id": 999999}, "person-unknown"),
        ({"plan_id": 999999}, "plan-not-found"),
        (reversed_dates, "dates-reversed"),
        ({"streams_override": 0}, "invalid-input"),
    ):
        answer = await admin.post(MEMBERSHIPS, json=good | change)
        assert answer.json()["type"] == f"/problems/{kind}"
    assert (await admin.patch(f"{MEMBERSHIPS}/999", json={})).status_code == 404


async def test_films_for_members_need_a_running_membership(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await add_films(session, {"title": "For members", "audience": "members"})
    videos = "/api/v1/videos"
    assert (await viewer.get(videos)).json()["total"] == 1, "without plans everybody is a member"
    plan, number = await add_plan(admin), await number_of(viewer)
    body = {"user_id": number, "plan_id": plan["id"]}
    given = (await admin.post(MEMBERSHIPS, json=body)).json()
    assert (await viewer.get(videos)).json()["total"] == 1
    await admin.post(f"{MEMBERSHIPS}/{given['id']}/cancel")
    assert (await viewer.get(videos)).json()["total"] == 0


async def test_plan_limits_the_profiles(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    plan, number = await add_plan(admin, profiles=2), await number_of(viewer)
    await admin.post(MEMBERSHIPS, json={"user_id": number, "plan_id": plan["id"]})
    profiles = "/api/v1/me/profiles"
    assert (await viewer.post(profiles, json={"name": "Kid"})).status_code == 201
    refused = await viewer.post(profiles, json={"name": "Mum"})
    assert refused.json()["type"] == "/problems/too-many-profiles"
    assert "2" in refused.json()["detail"]


async def test_database_itself_refuses_nonsense(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    await add_plan(admin)
    with pytest.raises(SQLAlchemyError, match="ck_plan_price"):
        await session.execute(text("update plan set price = -1"))
