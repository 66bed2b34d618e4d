"""Signing in, as programs and as browsers."""

from datetime import timedelta

import httpx
import jwt
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from videoflix.accounts.problems import EmailTaken
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.auth.tokens import Purpose, sign
from videoflix.settings import settings


@pytest.fixture
async def ada(session: AsyncSession) -> int:
    user = await Accounts(session).create_user(
        email="Ada@Example.org", password=PASSWORD, first_name="Ada", role=Role.EDITOR
    )
    await session.commit()
    return user.id


async def test_token_opens_protected_routes(client: httpx.AsyncClient, ada: int) -> None:
    answer = await client.post(
        "/api/v1/auth/token", json={"email": "ada@example.org", "password": PASSWORD}
    )
    assert answer.status_code == 200
    token = answer.json()
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == settings.access_token_seconds
    me = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token['access']}"})
    assert me.json() == {
        "id": ada,
        "email": "Ada@Example.org",
        "name": "Ada",
        "first_name": "Ada",
        "last_name": "",
        "initials": "A",
        "phone": "",
        "address": "",
        "language": "en",
        "role": "editor",
        "is_guest": False,
    }


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
async def test_wrong_credentials_look_alike(
    client: httpx.AsyncClient, ada: int, email: str
) -> None:
    answer = await client.post(
        "/api/v1/auth/token", json={"email": email, "password": "wrong password"}
    )
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/credentials-refused",
        "title": "Wrong e-mail address or password.",
        "status": 401,
        "detail": "Wrong e-mail address or password.",
    }


@pytest.mark.parametrize(
    ("change", "kind"),
    [("confirmed_at = null", "address-unconfirmed"), ("is_active = false", "switched-off")],
)
async def test_who_knows_the_password_hears_what_is_in_the_way(
    client: httpx.AsyncClient, ada: int, session: AsyncSession, change: str, kind: str
) -> None:
    await session.execute(text(f"update user_account set {change}"))
    await session.commit()
    body = {"email": "ada@example.org", "password": PASSWORD}
    told = await client.post("/api/v1/auth/token", json=body)
    assert (told.status_code, told.json()["type"]) == (401, f"/problems/{kind}")
    wrong = await client.post("/api/v1/auth/token", json=body | {"password": "wrong"})
    assert wrong.json()["type"] == "/problems/credentials-refused"


async def test_deactivated_person_is_out(
    client: httpx.AsyncClient, ada: int, session: AsyncSession
) -> None:
    body = {"email": "ada@example.org", "password": PASSWORD}
    token = (await client.post("/api/v1/auth/token", json=body)).json()["access"]
    (await Accounts(session).get_active(ada)).is_active = False
    await session.commit()
    assert (await client.post("/api/v1/auth/token", json=body)).status_code == 401
    me = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.status_code == 401


async def test_addresses_are_unique_whatever_their_case(ada: int, session: AsyncSession) -> None:
    with pytest.raises(EmailTaken):
        await Accounts(session).create_user(email="ADA@example.ORG", password=PASSWORD)


async def test_old_cookie_does_not_spoil_a_valid_header(
    client: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    client.cookies.set("access_token", "rubbish")
    answer = await client.get("/api/v1/me", headers=editor.headers)
    assert answer.status_code == 200


def forged(claims: dict[str, object], key: str, algorithm: str) -> str:
    known = jwt.get_unverified_header(sign(Purpose.ACCESS, 1, timedelta(minutes=5)))["kid"]
    return jwt.encode(claims, key, algorithm, headers={"kid": known})


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_tokens_of_other_make_are_refused(client: httpx.AsyncClient, ada: int) -> None:
    lifetime = timedelta(minutes=5)
    good = sign(Purpose.ACCESS, ada, lifetime, role="admin", sid=1)
    claims = jwt.decode(good, options={"verify_signature": False})
    bad = {
        "same": forged(claims, settings.secret_key, "HS256"),
        "no key named": jwt.encode(claims, settings.secret_key, "HS256"),
        "other key": forged(claims, "k" * 32, "HS256"),
        "no signature": forged(claims, "", "none"),
        "other algorithm": forged(claims, settings.secret_key, "HS512"),
        "other audience": forged(claims | {"aud": "shop"}, settings.secret_key, "HS256"),
        "expired": sign(Purpose.ACCESS, ada, timedelta(seconds=-1), role="admin", sid=1),
        "other purpose": sign(Purpose.PLAY, ada, lifetime, role="admin", sid=1, video=1),
        "unknown role": sign(Purpose.ACCESS, ada, lifetime, role="god", sid=1),
    }
    same = {"Authorization": f"Bearer {bad.pop('same')}"}
    assert (await client.get("/api/v1/me", headers=same)).status_code == 200
    for reason, token in bad.items():
        answer = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, reason
    good_header = {"Authorization": f"Bearer {good}"}
    assert (await client.get("/api/v1/me", headers=good_header)).status_code == 200
    basic_header = {"Authorization": f"Basic {good}"}
    assert (await client.get("/api/v1/me", headers=basic_header)).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "a@b.c"}, "password"),
        ({"email": 5, "password": "x"}, "email"),
        ({"email": "a\x00@b.c", "password": "x"}, "email"),
        ({"email": "a@b.c", "password": "x" * 129}, "password"),
        ({"email": "a@b.c", "password": "x", "admin": True}, "admin"),
    ],
)
async def test_bad_bodies_name_the_field(
    client: httpx.AsyncClient, body: dict[str, object], field: str
) -> None:
    answer = await client.post("/api/v1/auth/token", json=body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid-input"
    assert field in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_json_needs_its_content_type(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post(
        "/api/v1/auth/token",
        content=b'{"email":"a@b.c","password":"x"}',
        headers={"content-type": kind},
    )
    assert answer.status_code == 415
