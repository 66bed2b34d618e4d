"""The dialect `netiflex`, row by row: accounts. Its films are in test_videos.py."""

import base64
import re
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from registration.test_api import do_jobs
from videoflix.accounts.passwords import hash_password
from videoflix.accounts.service import Accounts
from videoflix.compat.basic_auth import passwords
from videoflix.platform.auth.revocations import revocations
from videoflix.registration import service as registration_service
from videoflix.sessions.service import sessions as sessions_service
from videoflix.settings import settings

ADA = "ada@example.org"
NEW = {"email": ADA, "password": PASSWORD, "confirm_password": PASSWORD}
IN = {"email": ADA, "password": PASSWORD, "remember_me": True}
UNSIGNED = {"detail": "Authentication credentials were not provided."}
SPENT = {"type": ["token"], "message": ["Invalid or expired token"]}
BAD_LINK = {"type": ["token"], "message": ["Invalid user ID or token"]}
MISMATCH = {"type": ["password"], "message": ["Passwords must match"]}


@pytest.fixture
async def ada(session: AsyncSession) -> None:
    """A person who may sign in."""
    await Accounts(session).create_user(email=ADA, password=PASSWORD)
    await session.commit()


@pytest.fixture
def their_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails lead to the pages of the older front end."""
    page = "http://films.example"
    changed = msgspec.structs.replace(
        settings,
        activation_url=f"{page}/activate-account/{{uid}}/{{token}}/",
        password_reset_url=f"{page}/reset-password/{{uid}}/{{token}}/",
    )
    monkeypatch.setattr(registration_service, "settings", changed)


@pytest.fixture
def guests(monkeypatch: pytest.MonkeyPatch) -> None:
    welcome = msgspec.structs.replace(settings, guest_login=True)
    monkeypatch.setattr(sessions_service, "settings", welcome)


async def mailed(session: AsyncSession) -> dict[str, str]:
    """The uid and token of the newest mailed link."""
    await do_jobs(session)
    body = await session.scalar(text("select text from mail order by id desc limit 1"))
    found = re.search(r"films\.example/[a-z-]+/(\d+)/([\w-]+)/", str(body))
    assert found, body
    return {"uid": found[1], "token": found[2]}


async def heard(session: AsyncSession) -> None:
    """What NOTIFY tells other connections: which sign-ins ended."""
    ended = await session.scalars(text("select id from sign_in where ended_at is not null"))
    revocations.add(ended.all())


async def log_in(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.post("/login/", json=IN)
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return {"Authorization": f"Token {answer.json()['token']}"}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_register(client: httpx.AsyncClient, slash: str) -> None:
    answer = await client.post(f"/register{slash}", json=NEW)
    assert (answer.status_code, answer.json()["email"]) == (201, ADA)
    assert re.fullmatch(r"[0-9a-f]{40}", answer.json()["token"])


async def test_the_token_of_registering_signs_nobody_in(client: httpx.AsyncClient) -> None:
    token = (await client.post("/register/", json=NEW)).json()["token"]
    header = {"Authorization": f"Token {token}"}
    assert (await client.get("/api/videos/", headers=header)).status_code == 401


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"email": None}, None),
        ({"confirm_password": "another one entirely"}, MISMATCH),
        ({"email": "x"}, {"email": ["Enter a valid email address."]}),
        (
            {"password": "short", "confirm_password": "short"},
            {
                "type": ["password"],
                "message": ["This password is too short. It must contain at least 8 characters."],
            },
        ),
        (
            {"password": "123456", "confirm_password": "123456"},
            {
                "type": ["password"],
                "message": [
                    "This password is too short. It must contain at least 8 characters.",
                    "This password is too common; choose another.",
                    "This password is entirely numeric.",
                ],
            },
        ),
        (
            {"password": "password123", "confirm_password": "password123"},
            {
                "type": ["password"],
                "message": ["This password is too common; choose another."],
            },
        ),
    ],
)
async def test_register_refuses(
    client: httpx.AsyncClient, change: dict[str, Any], body: dict[str, Any] | None
) -> None:
    sent = {name: value for name, value in (NEW | change).items() if value is not None}
    answer = await client.post("/register/", json=sent)
    expected = body or {"type": ["email"], "message": ["Email address is required"]}
    assert (answer.status_code, answer.json()) == (400, expected)


async def test_register_names_missing_fields(client: httpx.AsyncClient) -> None:
    answer = await client.post("/register/", json={"email": ADA})
    required = ["This field is required."]
    assert (answer.status_code, answer.json()) == (
        400,
        {"password": required, "confirm_password": required},
    )


@pytest.mark.usefixtures("older_manners")
async def test_register_again(client: httpx.AsyncClient, ada: None) -> None:
    answer = await client.post("/register/", json=NEW)
    taken = {"type": ["email"], "message": ["This Email already exists"]}
    assert (answer.status_code, answer.json()) == (400, taken)


async def test_activate(
    client: httpx.AsyncClient, session: AsyncSession, their_pages: None
) -> None:
    await client.post("/register/", json=NEW)
    refused = await client.post("/login/", json=IN)
    inactive = {"type": ["account"], "message": ["User account is not activated"]}
    assert (refused.status_code, refused.json()) == (400, inactive)
    link = await mailed(session)
    wrong = await client.post("/activate-account/", json=link | {"uid": "x"})
    assert (wrong.status_code, wrong.json()) == (400, BAD_LINK)
    others = await client.post("/activate-account/", json=link | {"uid": "99999999"})
    assert (others.status_code, others.json()) == (400, BAD_LINK)
    answer = await client.post("/activate-account/", json=link)
    done = {"message": "Account successfully activated!"}
    assert (answer.status_code, answer.json()) == (200, done)
    again = await client.post("/activate-account/", json=link)
    active = ["This account is already active. You can log in!"]
    assert (again.status_code, again.json()) == (400, {"type": ["account"], "message": active})
    unknown = await client.post("/activate-account/", json=link | {"token": "x"})
    assert (unknown.status_code, unknown.json()) == (400, SPENT)
    await log_in(client)


async def test_log_in(client: httpx.AsyncClient, ada: None) -> None:
    answer = await client.post("/login/", json=IN)
    assert (answer.status_code, answer.json()["email"]) == (200, ADA)
    assert re.fullmatch(r"[0-9a-f]{40}", answer.json()["token"])
    cookies = {part.partition("=")[0]: part for part in answer.headers.get_list("set-cookie")}
    assert "HttpOnly" in cookies["sessionid"]
    assert f"Max-Age={14 * 24 * 3600}" in cookies["sessionid"]
    assert "HttpOnly" not in cookies["csrftoken"]


@pytest.mark.usefixtures("older_manners")
@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"email": "nobody@example.org"}, {"email": "No user found with this email"}),
        ({"email": None}, {"email": "Please provide an email, field is missing"}),
        ({"password": "wrong"}, {"credentials": "Wrong Email or password"}),
    ],
)
async def test_log_in_refuses(
    client: httpx.AsyncClient, ada: None, change: dict[str, Any], body: dict[str, str]
) -> None:
    sent = {name: value for name, value in (IN | change).items() if value is not None}
    answer = await client.post("/login/", json=sent)
    ((kind, message),) = body.items()
    assert (answer.status_code, answer.json()) == (400, {"type": [kind], "message": [message]})


async def test_guessing_is_throttled(client: httpx.AsyncClient, ada: None) -> None:
    for _ in range(6):
        await client.post("/login/", json=IN | {"password": "wrong"})
    answer = await client.post("/login/", json=IN)
    assert answer.status_code == 429
    assert "retry-after" in answer.headers


async def test_log_out_ends_the_token(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    """The older token went on working."""
    header, other = await log_in(client), await log_in(client)
    answer = await client.delete("/logout/", headers=header)
    assert answer.json() == {"ok": True, "message": f"User {ADA} has logged out"}
    assert answer.status_code == 200
    await heard(session)
    refused = await client.get("/api/videos/", headers=header)
    assert (refused.status_code, refused.json()) == (401, {"detail": "Invalid token."})
    assert refused.headers["www-authenticate"] == "Token"
    assert (await client.get("/api/videos/", headers=other)).status_code == 200


async def test_log_out_without_a_token(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/logout/")
    assert (answer.status_code, answer.json()) == (403, UNSIGNED)
    assert "www-authenticate" not in answer.headers
    wrong = await client.post("/logout/")
    assert (wrong.status_code, wrong.json()) == (405, {"detail": 'Method "POST" not allowed.'})


async def test_guest(client: httpx.AsyncClient, session: AsyncSession, guests: None) -> None:
    answers = [
        (await client.post("/login/", json={"email": "guest@videoflix.com"})) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (answer.json() for answer in answers)
    assert first["email"] != second["email"], "a new one each time"
    assert await session.scalar(text("select count(*) from mail")) == 0
    client.cookies.clear()
    header = {"Authorization": f"Token {first['token']}"}
    assert (await client.get("/api/videos/", headers=header)).status_code == 200
    gone = await client.delete("/logout/", headers=header)
    assert (gone.status_code, gone.content) == (204, b"")
    left = (await session.scalars(text("select email from user_account"))).all()
    assert left == [second["email"]]


async def test_guests_are_limited_and_only_where_they_are_welcome(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    answer = await client.post("/login/", json={"email": "guest@videoflix.com", "password": "x"})
    assert answer.status_code == 400
    assert await session.scalar(text("select count(*) from user_account")) == 0
    for _ in range(10):
        answer = await client.post("/login/", json={"email": "guest@videoflix.com"})
    assert answer.status_code == 429


async def test_a_mock_address_is_no_guest(client: httpx.AsyncClient, session: AsyncSession) -> None:
    """The older backend deleted whoever had such an address at log-out."""
    await Accounts(session).create_user(email="ada@mock.com", password=PASSWORD)
    await session.commit()
    signed = await client.post("/login/", json=IN | {"email": "ada@mock.com"})
    header = {"Authorization": f"Token {signed.json()['token']}"}
    assert (await client.delete("/logout/", headers=header)).status_code == 200
    assert await session.scalar(text("select count(*) from user_account")) == 1


async def test_reset_tells_nobody_who_has_an_account(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    for email in (ADA, "nobody@example.org"):
        answer = await client.post("/reset-password/", json={"email": email})
        sent = {"message": "Password reset link sent to your email!"}
        assert (answer.status_code, answer.json()) == (200, sent)
    await do_jobs(session)
    assert (await session.scalars(text("select recipient from mail"))).all() == [ADA]


async def test_new_password(
    client: httpx.AsyncClient, session: AsyncSession, ada: None, their_pages: None
) -> None:
    header = await log_in(client)
    await client.post("/reset-password/", json={"email": ADA})
    link = await mailed(session)
    new = "an entirely new phrase"
    sent = link | {"new_password": new, "confirm_new_password": new}
    mismatch = await client.post("/new-password/", json=sent | {"confirm_new_password": "x"})
    assert (mismatch.status_code, mismatch.json()) == (400, MISMATCH)
    weak = {"new_password": "x", "confirm_new_password": "x"}
    assert (await client.post("/new-password/", json=sent | weak)).json()["type"] == ["password"]
    bad = await client.post("/new-password/", json=sent | {"uid": "x"})
    assert (bad.status_code, bad.json()) == (400, BAD_LINK)
    answer = await client.post("/new-password/", json=sent)
    done = {"message": "Password successfully reset!"}
    assert (answer.status_code, answer.json()) == (200, done)
    assert (await client.post("/new-password/", json=sent)).json() == SPENT
    await heard(session)
    assert (await client.get("/api/videos/", headers=header)).status_code == 401
    assert (await client.post("/login/", json=IN | {"password": new})).status_code == 200


async def test_an_activation_token_resets_no_password(
    client: httpx.AsyncClient, session: AsyncSession, their_pages: None
) -> None:
    await client.post("/register/", json=NEW)
    link = await mailed(session)
    new = {
        "new_password": "an entirely new phrase",
        "confirm_new_password": "an entirely new phrase",
    }
    answer = await client.post("/new-password/", json=link | new)
    assert (answer.status_code, answer.json()) == (400, SPENT)


async def test_pairs(client: httpx.AsyncClient, ada: None) -> None:
    pair = await client.post("/jwt/", json=IN)
    assert (pair.status_code, set(pair.json())) == (200, {"refresh", "access"})
    header = {"Authorization": f"Bearer {pair.json()['access']}"}
    assert (await client.get("/api/videos/", headers=header)).status_code == 200
    for _ in range(3):  # these clients keep their refresh token
        again = await client.post("/jwt/refresh/", json={"refresh": pair.json()["refresh"]})
        assert (again.status_code, set(again.json())) == (200, {"access"})
    header = {"Authorization": f"Bearer {again.json()['access']}"}
    assert (await client.get("/api/videos/", headers=header)).status_code == 200
    wrong = await client.post("/jwt/refresh/", json={"refresh": pair.json()["access"]})
    kind = {"detail": "Token has wrong type", "code": "token_not_valid"}
    assert (wrong.status_code, wrong.json()) == (401, kind)
    bad = await client.post("/jwt/refresh/", json={"refresh": "x"})
    invalid = {"detail": "Token is invalid or expired", "code": "token_not_valid"}
    assert (bad.status_code, bad.json()) == (401, invalid)
    refused = await client.post("/jwt/", json=IN | {"password": "wrong"})
    nobody = {"detail": "No active account found with the given credentials"}
    assert (refused.status_code, refused.json()) == (401, nobody)


async def test_a_traded_refresh_token_gives_nothing_more(
    client: httpx.AsyncClient, ada: None
) -> None:
    refresh = {"refresh": (await client.post("/jwt/", json=IN)).json()["refresh"]}
    assert (await client.post("/api/v1/auth/token/refresh", json=refresh)).status_code == 200
    assert (await client.post("/jwt/refresh/", json=refresh)).status_code == 401


def basic(password: str = PASSWORD) -> dict[str, str]:
    sent = base64.b64encode(f"{ADA}:{password}".encode()).decode()
    return {"Authorization": f"Basic {sent}"}


async def test_basic_is_for_these_paths_only(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    passwords._known.clear()
    for _ in range(3):
        assert (await client.get("/api/videos/", headers=basic())).status_code == 200
    devices = (await session.scalars(text("select device from sign_in"))).all()
    assert len(devices) == 1, "one sign-in, not one a request"
    assert (await client.get("/api/v1/me", headers=basic())).status_code == 401
    refused = await client.get("/api/videos/", headers=basic("wrong"))
    text_ = "Invalid username/password."
    assert (refused.status_code, refused.json()) == (401, {"detail": text_})
    for broken in ("!", "YQ==", base64.b64encode(b"\xff:\xff").decode()):
        header = {"Authorization": f"Basic {broken}"}
        assert (await client.get("/api/videos/", headers=header)).status_code == 401


async def test_basic_is_throttled_like_signing_in(client: httpx.AsyncClient, ada: None) -> None:
    passwords._known.clear()
    for _ in range(6):
        await client.get("/api/videos/", headers=basic("wrong"))
    assert (await client.get("/api/videos/", headers=basic())).status_code == 429


async def test_basic_ends_with_its_sign_in(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    passwords._known.clear()
    assert (await client.get("/api/videos/", headers=basic())).status_code == 200
    user = await Accounts(session).by_email(ADA)
    assert user
    Accounts(session).set_password(user, await hash_password("an entirely new phrase"))
    await sessions_service.Sessions(session).end_all(user.id)
    await session.commit()
    await heard(session)
    assert (await client.get("/api/videos/", headers=basic())).status_code == 401


async def test_session_cookie_is_enough_and_spoils_no_header(
    app: Litestar, client: httpx.AsyncClient, ada: None
) -> None:
    await client.post("/login/", json=IN)
    assert (await client.get("/api/videos/")).status_code == 200
    header = await log_in(client)
    async with http_client(app, header) as other:
        for name in ("sessionid", "access_token"):
            other.cookies.set(name, "x" * 40)
        assert (await other.get("/api/videos/")).status_code == 200
    client.cookies.set("sessionid", "0" * 40)
    assert (await client.get("/api/videos/")).status_code == 401


async def test_foreign_page_cannot_use_the_session_cookie(
    client: httpx.AsyncClient, ada: None
) -> None:
    await client.post("/login/", json=IN)
    elsewhere = {"Origin": "https://evil.example"}
    assert (await client.delete("/logout/", headers=elsewhere)).status_code == 403


async def test_foreign_page_cannot_use_a_password_the_browser_knows(
    client: httpx.AsyncClient, ada: None
) -> None:
    passwords._known.clear()
    elsewhere = basic() | {"Origin": "https://evil.example"}
    assert (await client.delete("/logout/", headers=elsewhere)).status_code == 403
    assert (await client.delete("/logout/", headers=basic())).status_code == 200


async def test_token_is_kept_as_a_hash_and_shown_as_a_device(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    header = await log_in(client)
    token = header["Authorization"].partition(" ")[2]
    assert token not in str((await session.execute(text("select * from sign_in"))).all())
    devices = await client.get("/api/v1/auth/sessions", headers=header)
    assert [device["current"] for device in devices.json()] == [True]
    assert (await client.get("/api/v1/me/tokens", headers=header)).json() == []
    assert (await client.post("/api/v1/auth/logout/all", headers=header)).status_code == 204
    await heard(session)
    assert (await client.get("/api/v1/me", headers=header)).status_code == 401
