"""What people see and change of themselves, and leaving."""

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD
from videoflix.platform.auth.revocations import revocations

ME = "/api/v1/me"
COUNT = "select count(*) from "


async def test_profile_keeps_what_is_left_out(viewer: httpx.AsyncClient) -> None:
    change = {"last_name": "Lovelace", "phone": "+44 20 7946", "address": "12 St\nLondon"}
    changed = await viewer.patch(ME, json=change)
    assert changed.status_code == 200
    assert changed.json()["name"] == "Viewer Lovelace"
    assert changed.json()["initials"] == "VL"
    await viewer.patch(ME, json={"language": "de", "first_name": ""})
    me = (await viewer.get(ME)).json()
    assert me["phone"] == "+44 20 7946"
    assert (me["language"], me["initials"]) == ("de", "L")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "admin"}, "role"),
        ({"email": "other@example.org"}, "email"),
        ({"first_name": "x" * 101}, "first_name"),
        ({"first_name": "a\nb"}, "first_name"),
        ({"phone": "call me"}, "phone"),
        ({"language": "tlh"}, "language"),
        ({"address": "a\x00b"}, "address"),
    ],
)
async def test_bad_changes_name_the_field(
    viewer: httpx.AsyncClient, change: dict[str, str], field: str
) -> None:
    answer = await viewer.patch(ME, json=change)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


async def test_closing_an_account_takes_the_password(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    refused = await viewer.request("DELETE", ME, json={"password": "wrong"})
    assert refused.json()["type"] == "/problems/password-wrong"
    (number,) = (await session.execute(text("select id from sign_in"))).one()
    closed = await viewer.request("DELETE", ME, json={"password": PASSWORD})
    assert closed.status_code == 204
    for table in ("user_account", "sign_in", "refresh_token"):
        assert await session.scalar(text(COUNT + table)) == 0
    subject = await session.scalar(text("select subject from mail"))
    assert subject == "Your account has been deleted"
    revocations.add([number])  # what NOTIFY says after a real commit
    assert (await viewer.get(ME)).status_code == 401


async def test_last_administrator_cannot_leave(admin: httpx.AsyncClient) -> None:
    answer = await admin.request("DELETE", ME, json={"password": PASSWORD})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/last-admin"


async def test_export_holds_everything_about_a_person(
    app: Litestar, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    (film,) = await add_films(session, {"title": "Film"})
    await viewer.post("/api/v1/watchlist", json={"video_id": film})
    await viewer.put(f"/api/v1/videos/{film}/progress", json={"seconds": 7})
    await viewer.put(f"/api/v1/videos/{film}/vote", json={"vote": "down"})
    await viewer.post(f"{ME}/tokens", json={"name": "script"})
    answer = await viewer.get(f"{ME}/export")
    assert "attachment" in answer.headers["content-disposition"]
    data = answer.json()
    assert data["account"]["email"] == "viewer@example.org"
    assert [device["current"] for device in data["devices"]] == [True]
    assert [token["name"] for token in data["api_tokens"]] == ["script"]
    (profile,) = data["profiles"]
    assert [item["video"]["id"] for item in profile["watchlist"]] == [film]
    assert [item["progress"]["seconds"] for item in profile["history"]] == [7.0]
    assert profile["votes"] == {str(film): -1}
    assert (data["membership"], data["invoices"], data["streams"]) == (None, [], [])
    assert "api-token-made" in [event["kind"] for event in data["activity"]]
    assert "password" not in answer.text
    assert "vf_" not in answer.text
