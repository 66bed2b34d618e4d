"""No link activates a password that its reader did not choose, whoever registered first."""

import re

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from registration.test_api import do_jobs
from videoflix.platform.auth.identity import Role
from videoflix.user_admin.schemas import UserCreate
from videoflix.user_admin.service import UserAdmin

AUTH = "/api/v1/auth"
ADA = "ada@example.org"
OWNERS, STRANGERS = PASSWORD, "the password of a stranger"
CHOSEN = "chosen by the owner"
REGISTER = {
    "native": (f"{AUTH}/register", {}),
    "academy": ("/api/register/", {"confirmed_password": ""}),
    "netiflex": ("/register/", {"confirm_password": ""}),
    "authemail": ("/api/accounts/signup/", {}),
}


async def register(client: httpx.AsyncClient, way: str, password: str) -> httpx.Response:
    path, more = REGISTER[way]
    body = {"email": ADA, "password": password} | dict.fromkeys(more, password)
    return await client.post(path, json=body)


async def mailed(session: AsyncSession) -> list[str]:
    """The tokens of all mails, the oldest first."""
    await do_jobs(session)
    bodies = (await session.scalars(text("select text from mail order by id"))).all()
    return [found for body in bodies for found in re.findall(r"#/[a-z]+/([\w-]{43})", body)]


async def works(client: httpx.AsyncClient, password: str) -> bool:
    answer = await client.post(f"{AUTH}/token", json={"email": ADA, "password": password})
    return answer.status_code == 200


async def activates(client: httpx.AsyncClient, token: str) -> bool:
    answer = await client.post(f"{AUTH}/activate", json={"token": token})
    return answer.status_code == 204


async def chooses(client: httpx.AsyncClient, token: str, password: str = CHOSEN) -> bool:
    body = {"token": token, "password": password}
    return (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 204


@pytest.mark.parametrize("way", REGISTER)
@pytest.mark.parametrize("owner_is_first", [True, False])
async def test_second_registration_leaves_the_choice_to_who_reads_the_mail(
    client: httpx.AsyncClient, session: AsyncSession, way: str, owner_is_first: bool
) -> None:
    order = [OWNERS, STRANGERS] if owner_is_first else [STRANGERS, OWNERS]
    first = await register(client, way, order[0])
    (older,) = await mailed(session)
    second = await register(client, way, order[1])
    assert first.status_code == second.status_code < 300
    _, newer = await mailed(session)
    assert not await activates(client, older)
    assert not await activates(client, newer)
    assert not await chooses(client, older)
    assert (await works(client, OWNERS), await works(client, STRANGERS)) == (False, False)
    assert await chooses(client, newer)
    assert await works(client, CHOSEN)
    assert (await works(client, OWNERS), await works(client, STRANGERS)) == (False, False)


async def test_both_mails_let_choose_when_they_were_written_late(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    """And a third registration voids no link that lets its reader choose."""
    await register(client, "native", STRANGERS)
    await register(client, "native", OWNERS)
    older, _ = await mailed(session)
    await register(client, "native", STRANGERS)
    assert len(await mailed(session)) == 3
    assert not await activates(client, older)
    assert await chooses(client, older)
    assert await works(client, CHOSEN)
    for late in (await mailed(session))[1:3]:
        assert not await chooses(client, late, STRANGERS)


async def test_registration_after_one_that_expired_lets_choose_as_well(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await register(client, "native", OWNERS)
    await mailed(session)
    await session.execute(text("update mail_token set expires_at = now()"))
    await register(client, "native", STRANGERS)
    token = (await mailed(session))[-1]
    assert not await activates(client, token)
    assert await chooses(client, token)


async def test_names_belong_to_the_link_as_well(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    body = {"email": ADA, "password": OWNERS, "first_name": "Ada"}
    await client.post(f"{AUTH}/register", json=body)
    (token,) = await mailed(session)
    assert await session.scalar(text("select first_name from user_account")) == ""
    assert await activates(client, token)
    assert await session.scalar(text("select first_name from user_account")) == "Ada"
    pending = "select count(*) from mail_token where password_hash is not null"
    assert await session.scalar(text(pending)) == 0


async def test_mail_that_is_asked_for_again_lets_choose_when_several_registered(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await register(client, "native", STRANGERS)
    await register(client, "native", OWNERS)
    await client.post(f"{AUTH}/activate/resend", json={"email": ADA})
    token = (await mailed(session))[-1]
    assert (await client.post(f"{AUTH}/activate", json={"token": token})).status_code == 400
    chosen = {"token": token, "password": "chosen by the owner"}
    assert (await client.post(f"{AUTH}/password/reset", json=chosen)).status_code == 204
    assert await works(client, "chosen by the owner")
    assert not await works(client, STRANGERS)


async def test_administrators_take_a_registered_address_over(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await register(client, "native", STRANGERS)
    (planted,) = await mailed(session)
    await UserAdmin(session).add(UserCreate(email=ADA, role=Role.EDITOR), by=None)
    await session.commit()
    assert (await client.post(f"{AUTH}/activate", json={"token": planted})).status_code == 400
    assert not await works(client, STRANGERS)
    invited = {"token": (await mailed(session))[-1], "password": OWNERS}
    assert (await client.post(f"{AUTH}/password/reset", json=invited)).status_code == 204
    assert await works(client, OWNERS)


@pytest.mark.parametrize("act", ["activate", "promote"])
async def test_staff_activate_no_password_of_a_stranger(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, session: AsyncSession, act: str
) -> None:
    await register(client, "native", STRANGERS)
    (planted,) = await mailed(session)
    find = text("select id from user_account where confirmed_at is null")
    path = f"/api/v1/users/{await session.scalar(find)}"
    if act == "activate":
        done = await admin.post(f"{path}/activate")
    else:
        done = await admin.patch(path, json={"role": "editor"})
    assert done.status_code == 200
    assert (await client.post(f"{AUTH}/activate", json={"token": planted})).status_code == 400
    assert not await works(client, STRANGERS)


async def test_changed_password_withdraws_the_wish_for_another_address(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    """The mail is written by a job, which may run after the change."""
    wish = {"password": PASSWORD, "email": "mallory@example.org"}
    assert (await viewer.post(f"{AUTH}/email/change", json=wish)).status_code == 202
    change = {"current": PASSWORD, "password": "another good password"}
    assert (await viewer.post(f"{AUTH}/password/change", json=change)).status_code == 204
    await do_jobs(session)
    written = await session.scalars(text("select recipient from mail"))
    assert "mallory@example.org" not in written.all()


async def test_registered_address_is_free_for_who_proves_it(
    client: httpx.AsyncClient, session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await register(client, "native", STRANGERS)
    await do_jobs(session)
    wish = {"password": PASSWORD, "email": ADA}
    await viewer.post(f"{AUTH}/email/change", json=wish)
    await do_jobs(session)
    body = await session.scalar(text("select text from mail order by id desc limit 1"))
    (token,) = re.findall(r"#/confirm-email/([\w-]{43})", str(body))
    assert (await client.post(f"{AUTH}/email/confirm", json={"token": token})).status_code == 204
    assert (await viewer.get("/api/v1/me")).json()["email"] == ADA
