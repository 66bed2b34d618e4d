"""The dialect `authemail`, row by row: accounts. Its films are in test_videos.py."""

import re

import httpx
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from compat.test_netiflex import heard
from conftest import PASSWORD
from registration.test_api import do_jobs
from videoflix.accounts.service import Accounts
from videoflix.registration import service as registration_service
from videoflix.settings import settings

ADA = "ada@example.org"
IN = {"email": ADA, "password": PASSWORD}
NEW = IN | {"first_name": "Ada", "last_name": "Byron"}
SHOWN = {"email": ADA, "first_name": "Ada", "last_name": "Byron"}
UNSIGNED = {"detail": "Authentication credentials were not provided."}
UNVERIFIED = {"detail": "Unable to verify user."}
TAKEN = {"detail": "Email address already taken."}
OTHER = "an entirely new phrase"
ACCOUNTS = "/api/accounts"


@pytest.fixture
async def ada(session: AsyncSession) -> None:
    """A person who may sign in."""
    await Accounts(session).create_user(email=ADA, password=PASSWORD, first_name="Ada")
    await session.commit()


@pytest.fixture(autouse=True)
def their_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails lead to the pages of the older front end."""
    page = "http://films.example"
    changed = msgspec.structs.replace(
        settings,
        activation_url=f"{page}/email-verify?code={{token}}",
        password_reset_url=f"{page}/new-password?code={{token}}",
        email_confirm_url=f"{page}/email-change?code={{token}}",
    )
    monkeypatch.setattr(registration_service, "settings", changed)


async def mailed(session: AsyncSession) -> str:
    """The code of the newest mailed link."""
    await do_jobs(session)
    body = await session.scalar(text("select text from mail order by id desc limit 1"))
    found = re.search(r"films\.example/[a-z-]+\?code=([\w-]+)", str(body))
    assert found, body
    return found[1]


async def log_in(client: httpx.AsyncClient, password: str = PASSWORD) -> dict[str, str]:
    answer = await client.post(f"{ACCOUNTS}/login/", json=IN | {"password": password})
    assert (answer.status_code, set(answer.json())) == (200, {"token"}), answer.text
    return {"Authorization": f"Token {answer.json()['token']}"}


@pytest.mark.parametrize("path", ["signup", "signup/", "signup.json"])
async def test_sign_up_and_verify(
    client: httpx.AsyncClient, session: AsyncSession, path: str
) -> None:
    answer = await client.post(f"{ACCOUNTS}/{path}", json=NEW)
    assert (answer.status_code, answer.json()) == (201, SHOWN)
    refused = await client.post(f"{ACCOUNTS}/login/", json=IN)
    assert (refused.status_code, refused.json()) == (
        401,
        {"detail": "User account not verified."},
    )
    verify = f"{ACCOUNTS}/signup/verify/?code={await mailed(session)}"
    done = await client.get(verify)
    assert (done.status_code, done.json()) == (200, {"success": "Email address verified."})
    again = await client.get(verify)
    assert (again.status_code, again.json()) == (400, UNVERIFIED)
    await log_in(client)


async def test_second_sign_up_lets_choose_a_password(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    """Somebody else's sign-up, before the owner's or after, plants no password."""
    await client.post(f"{ACCOUNTS}/signup/", json=NEW)
    older = await mailed(session)
    again = await client.post(f"{ACCOUNTS}/signup/", json=NEW | {"password": OTHER})
    assert (again.status_code, again.json()) == (201, SHOWN)
    newer = await mailed(session)
    for code in (older, newer):
        void = await client.get(f"{ACCOUNTS}/signup/verify/?code={code}")
        assert (void.status_code, void.json()) == (400, UNVERIFIED)
    chosen = {"code": newer, "password": PASSWORD}
    assert (await client.post(f"{ACCOUNTS}/password/reset/verified/", json=chosen)).is_success
    await log_in(client)
    refused = await client.post(f"{ACCOUNTS}/login/", json=IN | {"password": OTHER})
    assert refused.status_code == 401


async def test_sign_up_of_a_known_address_tells_nothing(
    client: httpx.AsyncClient, ada: None
) -> None:
    known = await client.post(f"{ACCOUNTS}/signup/", json=NEW | {"password": OTHER})
    assert (known.status_code, known.json()) == (201, SHOWN)
    await log_in(client)


@pytest.mark.usefixtures("older_manners")
async def test_sign_up_of_a_known_address_is_refused_where_that_may_be_told(
    client: httpx.AsyncClient, ada: None
) -> None:
    taken = await client.post(f"{ACCOUNTS}/signup/", json=NEW | {"password": OTHER})
    assert (taken.status_code, taken.json()) == (400, TAKEN)


async def test_sign_up_names_fields(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{ACCOUNTS}/signup/", json={"email": "x"})
    assert (answer.status_code, answer.json()) == (
        400,
        {"email": ["Enter a valid email address."], "password": ["This field is required."]},
    )


async def test_log_in_refuses(client: httpx.AsyncClient, session: AsyncSession, ada: None) -> None:
    nobody = {"detail": "Unable to login with provided credentials."}
    for wrong in ({"password": "wrong"}, {"email": "nobody@example.org"}):
        answer = await client.post(f"{ACCOUNTS}/login/", json=IN | wrong)
        assert (answer.status_code, answer.json()) == (401, nobody)
    await session.execute(text("update user_account set is_active = false"))
    await session.commit()
    off = await client.post(f"{ACCOUNTS}/login/", json=IN)
    assert (off.status_code, off.json()) == (401, {"detail": "User account not active."})


async def test_log_out_ends_all_tokens(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    header, other = await log_in(client), await log_in(client)
    pair = (await client.post("/api/v1/auth/token", json=IN)).json()
    answer = await client.get(f"{ACCOUNTS}/logout/", headers=header)
    assert (answer.status_code, answer.json()) == (200, {"success": "User logged out."})
    await heard(session)
    for ended in (header, other):
        assert (await client.get(f"{ACCOUNTS}/users/me/", headers=ended)).status_code == 401
    elsewhere = {"Authorization": f"Bearer {pair['access']}"}
    assert (await client.get("/api/v1/me", headers=elsewhere)).status_code == 200
    wrong = await client.post(f"{ACCOUNTS}/logout/", headers=header)
    assert (wrong.status_code, wrong.json()) == (405, {"detail": 'Method "POST" not allowed.'})


async def test_reset_tells_nobody_who_has_an_account(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    for email in (ADA, "nobody@example.org"):
        answer = await client.post(f"{ACCOUNTS}/password/reset/", json={"email": email})
        assert (answer.status_code, answer.json()) == (201, {"email": email})
    await do_jobs(session)
    assert (await session.scalars(text("select recipient from mail"))).all() == [ADA]


async def test_reset(client: httpx.AsyncClient, session: AsyncSession, ada: None) -> None:
    await client.post(f"{ACCOUNTS}/password/reset/", json={"email": ADA})
    code = await mailed(session)
    verify = f"{ACCOUNTS}/password/reset/verify/?code={code}"
    for _ in range(2):  # looking is not using
        known = await client.get(verify)
        assert (known.status_code, known.json()) == (200, {"success": "Email address verified."})
    weak = {"code": code, "password": "x"}
    assert (await client.post(f"{ACCOUNTS}/password/reset/verified/", json=weak)).status_code == 400
    sent = {"code": code, "password": OTHER}
    done = await client.post(f"{ACCOUNTS}/password/reset/verified/", json=sent)
    assert (done.status_code, done.json()) == (200, {"success": "Password reset."})
    spent = await client.post(f"{ACCOUNTS}/password/reset/verified/", json=sent)
    assert (spent.status_code, spent.json()) == (400, UNVERIFIED)
    assert (await client.get(verify)).json() == UNVERIFIED
    await log_in(client, OTHER)


async def test_an_expired_code_resets_nothing(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    await client.post(f"{ACCOUNTS}/password/reset/", json={"email": ADA})
    code = await mailed(session)
    await session.execute(text("update mail_token set expires_at = now() - interval '1 s'"))
    await session.commit()
    sent = {"code": code, "password": OTHER}
    answer = await client.post(f"{ACCOUNTS}/password/reset/verified/", json=sent)
    assert (answer.status_code, answer.json()) == (400, UNVERIFIED)


async def test_an_activation_code_resets_no_password(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post(f"{ACCOUNTS}/signup/", json=NEW)
    sent = {"code": await mailed(session), "password": OTHER}
    answer = await client.post(f"{ACCOUNTS}/password/reset/verified/", json=sent)
    assert (answer.status_code, answer.json()) == (400, UNVERIFIED)


async def test_change_the_password(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    header, other = await log_in(client), await log_in(client)
    path, current = f"{ACCOUNTS}/password/change/", "current_password"
    for sent, text_ in (
        ({}, "This field is required."),
        ({current: "wrong"}, "This is not your password."),
    ):
        refused = await client.post(path, json={"password": OTHER} | sent, headers=header)
        assert (refused.status_code, refused.json()) == (400, {current: [text_]})
    sent = {"password": OTHER, current: PASSWORD}
    changed = await client.post(path, json=sent, headers=header)
    assert (changed.status_code, changed.json()) == (200, {"success": "Password changed."})
    await heard(session)
    # The token stays, as there; the other sign-ins end.
    assert (await client.get(f"{ACCOUNTS}/users/me/", headers=header)).status_code == 200
    assert (await client.get(f"{ACCOUNTS}/users/me/", headers=other)).status_code == 401
    await log_in(client, OTHER)


@pytest.mark.usefixtures("older_manners")
async def test_change_the_password_where_being_signed_in_is_enough(
    client: httpx.AsyncClient, ada: None
) -> None:
    header = await log_in(client)
    changed = await client.post(
        f"{ACCOUNTS}/password/change/", json={"password": OTHER}, headers=header
    )
    assert changed.status_code == 200
    await log_in(client, OTHER)


async def test_change_the_address(
    client: httpx.AsyncClient, session: AsyncSession, ada: None
) -> None:
    await Accounts(session).create_user(email="grace@example.org", password=PASSWORD)
    await session.commit()
    header = await log_in(client)
    path, new = f"{ACCOUNTS}/email/change/", "ada@new.example"
    bare = await client.post(path, json={"email": new}, headers=header)
    assert (bare.status_code, set(bare.json())) == (400, {"current_password"})
    proof = {"current_password": PASSWORD}
    taken = await client.post(path, json={"email": "grace@example.org"} | proof, headers=header)
    assert (taken.status_code, taken.json()) == (201, {"email": "grace@example.org"})
    asked = await client.post(path, json={"email": new} | proof, headers=header)
    assert (asked.status_code, asked.json()) == (201, {"email": new})
    code = await mailed(session)
    done = await client.get(f"{path}verify/?code={code}")
    assert (done.status_code, done.json()) == (200, {"success": "Email address changed."})
    me = await client.get(f"{ACCOUNTS}/users/me/", headers=header)
    assert me.json()["email"] == new
    bad = await client.get(f"{path}verify/?code=x")
    assert (bad.status_code, bad.json()) == (400, UNVERIFIED)


@pytest.mark.parametrize(
    "browser",
    [
        {},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Referer": "http://evil.example/"},
    ],
    ids=str,
)
async def test_a_link_signs_nobody_out(
    client: httpx.AsyncClient, ada: None, browser: dict[str, str]
) -> None:
    await client.post("/api/v1/auth/session", json=IN)
    refused = await client.get(f"{ACCOUNTS}/logout/", headers=browser)
    assert refused.status_code == 403
    assert (await client.get("/api/v1/me")).status_code == 200
    ours = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert (await client.get(f"{ACCOUNTS}/logout/", headers=ours)).status_code == 200


@pytest.mark.parametrize("path", ["users/me", "users/me/", "users/me.json"])
async def test_me(client: httpx.AsyncClient, ada: None, path: str) -> None:
    answer = await client.get(f"{ACCOUNTS}/{path}", headers=await log_in(client))
    me = answer.json()
    assert (answer.status_code, type(me.pop("id"))) == (200, int)
    assert me == {"email": ADA, "first_name": "Ada", "last_name": ""}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "users/me/"),
        ("GET", "logout/"),
        ("POST", "password/change/"),
        ("POST", "email/change/"),
    ],
)
async def test_strangers(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"{ACCOUNTS}/{path}")
    assert (answer.status_code, answer.json()) == (401, UNSIGNED)
    assert answer.headers["www-authenticate"] == "Token"


async def test_api_tokens_change_no_password(client: httpx.AsyncClient, ada: None) -> None:
    header = await log_in(client)
    made = await client.post(
        "/api/v1/me/tokens", json={"name": "script", "scope": "write"}, headers=header
    )
    script = {"Authorization": f"Token {made.json()['token']}"}
    changed = await client.post(
        f"{ACCOUNTS}/password/change/", json={"password": OTHER}, headers=script
    )
    assert changed.status_code == 403
