"""Registering, and what mailed links can do."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from queue_helpers import execute, rows
from videoflix.accounts.service import Accounts
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job
from videoflix.registration import service as registration_service
from videoflix.registration.jobs import (
    send_activation_mail,
    send_email_change_mail,
    send_password_reset_mail,
)
from videoflix.registration.schemas import (
    SendActivationMail,
    SendEmailChangeMail,
    SendPasswordResetMail,
)
from videoflix.settings import settings

AUTH = "/api/v1/auth"
ADA = "ada@example.org"
NEW = {"email": ADA, "password": PASSWORD, "first_name": "Ada"}
OTHER_PASSWORD = "another good password"


async def do_jobs(session: AsyncSession) -> None:
    """What a worker would do with the waiting jobs."""
    found = await session.execute(text("delete from procrastinate_jobs returning task_name, args"))
    kinds: dict[str, type[Job]] = {
        kind.name: kind for kind in (SendActivationMail, SendPasswordResetMail, SendEmailChangeMail)
    }
    for name, fields in found.all():
        job = msgspec.convert(fields, kinds[name])
        if isinstance(job, SendActivationMail):
            await send_activation_mail(job)
        elif isinstance(job, SendPasswordResetMail):
            await send_password_reset_mail(job)
        elif isinstance(job, SendEmailChangeMail):
            await send_email_change_mail(job)


async def mails(session: AsyncSession) -> list[tuple[str, str]]:
    """Recipients and subjects, after the waiting jobs are done."""
    await do_jobs(session)
    found = await session.execute(text("select recipient, subject from mail order by id"))
    return [(row[0], row[1]) for row in found]


async def token_of(session: AsyncSession) -> str:
    """The token of the newest mail."""
    await do_jobs(session)
    body = await session.scalar(text("select text from mail order by id desc limit 1"))
    found = re.search(rf"{settings.site_url}/#/[a-z-]+/([\w-]+)", str(body))
    assert found, body
    return found[1]


async def sign_in(client: httpx.AsyncClient, email: str = ADA, password: str = PASSWORD) -> int:
    answer = await client.post(f"{AUTH}/token", json={"email": email, "password": password})
    return answer.status_code


@pytest.fixture
async def ada(client: httpx.AsyncClient, session: AsyncSession) -> dict[str, str]:
    """Ada is confirmed and signed in: her header."""
    await Accounts(session).create_user(email=ADA, password=PASSWORD, first_name="Ada")
    await session.commit()
    pair = await client.post(f"{AUTH}/token", json={"email": ADA, "password": PASSWORD})
    return {"Authorization": f"Bearer {pair.json()['access']}"}


async def test_account_works_once_its_address_is_confirmed(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    answer = await client.post(f"{AUTH}/register", json=NEW)
    assert answer.status_code == 202
    assert await sign_in(client) == 401
    token = await token_of(session)
    assert await mails(session) == [(ADA, "Confirm your e-mail address")]
    assert (await client.post(f"{AUTH}/activate", json={"token": token})).status_code == 204
    assert await sign_in(client) == 200
    again = await client.post(f"{AUTH}/activate", json={"token": token})
    assert again.status_code == 400
    assert again.json()["type"] == "/problems/link-spent"


async def test_known_address_gets_the_same_answer_and_another_mail(
    client: httpx.AsyncClient, session: AsyncSession, ada: dict[str, str]
) -> None:
    fresh = await client.post(f"{AUTH}/register", json=NEW | {"email": "new@example.org"})
    known = await client.post(f"{AUTH}/register", json=NEW | {"email": ADA.upper()})
    assert (known.status_code, known.content) == (fresh.status_code, fresh.content)
    assert await mails(session) == [
        ("new@example.org", "Confirm your e-mail address"),
        (ADA, "You already have an account"),
    ]
    assert await sign_in(client) == 200, "the old password stays"


@pytest.mark.parametrize("path", ["activate/resend", "password/forgot"])
async def test_unknown_address_gets_the_same_answer_and_no_mail(
    client: httpx.AsyncClient, session: AsyncSession, ada: dict[str, str], path: str
) -> None:
    known = await client.post(f"{AUTH}/{path}", json={"email": ADA})
    await mails(session)
    await session.execute(text("delete from mail"))
    unknown = await client.post(f"{AUTH}/{path}", json={"email": "nobody@example.org"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert await mails(session) == []


async def test_newer_link_makes_the_older_worthless(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post(f"{AUTH}/register", json=NEW)
    old = await token_of(session)
    await client.post(f"{AUTH}/activate/resend", json={"email": ADA})
    new = await token_of(session)
    assert (await client.post(f"{AUTH}/activate", json={"token": old})).status_code == 400
    assert (await client.post(f"{AUTH}/activate", json={"token": new})).status_code == 204


async def test_link_expires(client: httpx.AsyncClient, session: AsyncSession) -> None:
    await client.post(f"{AUTH}/register", json=NEW)
    token = await token_of(session)
    [(lifetime,)] = (await session.execute(text("select expires_at - now() from mail_token"))).all()
    assert 71 < lifetime.total_seconds() / 3600 <= 72
    await session.execute(text("update mail_token set expires_at = now()"))
    assert (await client.post(f"{AUTH}/activate", json={"token": token})).status_code == 400


async def test_token_is_stored_as_its_hash(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post(f"{AUTH}/register", json=NEW)
    token = await token_of(session)
    stored = await session.scalar(text("select token_hash from mail_token"))
    assert len(token) == 43, "256 bits"
    assert token not in str(stored)


async def test_new_password_signs_out_everywhere(
    client: httpx.AsyncClient, session: AsyncSession, ada: dict[str, str]
) -> None:
    await client.post(f"{AUTH}/password/forgot", json={"email": ADA})
    token = await token_of(session)
    reset = {"token": token, "password": OTHER_PASSWORD}
    assert (await client.post(f"{AUTH}/password/reset", json=reset)).status_code == 204
    assert (await client.get("/api/v1/me", headers=ada)).status_code == 401
    assert (await sign_in(client), await sign_in(client, password=OTHER_PASSWORD)) == (401, 200)
    assert (await mails(session))[-1] == (ADA, "Your password was changed")
    assert (await client.post(f"{AUTH}/password/reset", json=reset)).status_code == 400


async def test_each_link_is_for_one_purpose(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post(f"{AUTH}/register", json=NEW)
    token = await token_of(session)
    reset = {"token": token, "password": OTHER_PASSWORD}
    assert (await client.post(f"{AUTH}/password/reset", json=reset)).status_code == 400
    assert (await client.post(f"{AUTH}/email/confirm", json={"token": token})).status_code == 400
    assert (await client.post(f"{AUTH}/activate", json={"token": token})).status_code == 204


async def test_changing_the_password_takes_the_old_one(
    client: httpx.AsyncClient, ada: dict[str, str]
) -> None:
    wrong = {"current": "wrong", "password": OTHER_PASSWORD}
    refused = await client.post(f"{AUTH}/password/change", json=wrong, headers=ada)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/password-wrong")
    right = wrong | {"current": PASSWORD}
    done = await client.post(f"{AUTH}/password/change", json=right, headers=ada)
    assert done.status_code == 204
    assert await sign_in(client, password=OTHER_PASSWORD) == 200
    assert (await client.post(f"{AUTH}/password/change", json=right)).status_code == 401


async def test_new_address_counts_once_it_is_confirmed(
    client: httpx.AsyncClient, session: AsyncSession, ada: dict[str, str]
) -> None:
    wish = {"password": PASSWORD, "email": "lovelace@example.org"}
    answer = await client.post(f"{AUTH}/email/change", json=wish, headers=ada)
    assert answer.status_code == 202
    token = await token_of(session)
    assert await sign_in(client) == 200
    assert (await client.post(f"{AUTH}/email/confirm", json={"token": token})).status_code == 204
    assert await sign_in(client) == 401
    assert await sign_in(client, email="lovelace@example.org") == 200
    assert [who for who, _ in await mails(session)] == ["lovelace@example.org", ADA]


async def test_address_of_somebody_else_cannot_be_taken(
    client: httpx.AsyncClient, session: AsyncSession, ada: dict[str, str]
) -> None:
    """Neither at once, nor when it was registered while the link was under way."""
    wish = {"password": PASSWORD, "email": "bob@example.org"}
    await client.post(f"{AUTH}/email/change", json=wish, headers=ada)
    token = await token_of(session)
    await Accounts(session).create_user(email="bob@example.org", password=PASSWORD)
    await session.commit()
    assert (await client.post(f"{AUTH}/email/confirm", json={"token": token})).status_code == 400
    before = await mails(session)
    again = await client.post(f"{AUTH}/email/change", json=wish, headers=ada)
    assert again.status_code == 202
    assert await mails(session) == before


async def test_links_are_never_made_from_the_request(
    client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await client.post(f"{AUTH}/register", json=NEW, headers={"Host": "evil.example"})
    await do_jobs(session)
    assert "evil" not in str(await session.scalar(text("select text from mail")))


async def test_closed_installation_needs_no_confirmation(
    client: httpx.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = msgspec.structs.replace(settings, activation_required=False)
    monkeypatch.setattr(registration_service, "settings", at_once)
    await client.post(f"{AUTH}/register", json=NEW)
    assert await sign_in(client) == 200
    assert await mails(session) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (NEW | {"password": "short"}, "password"),
        (NEW | {"email": "nobody"}, "email"),
        (NEW | {"first_name": "Ada\r\nBcc: all@example.org"}, "first_name"),
        (NEW | {"role": "admin"}, "role"),
    ],
)
async def test_bad_input_is_named(
    client: httpx.AsyncClient, body: dict[str, str], field: str
) -> None:
    answer = await client.post(f"{AUTH}/register", json=body)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


@pytest.fixture
async def committing(committed: None, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose requests commit, each on a connection of its own."""
    async with http_client(app) as client:
        yield client


async def test_twenty_racing_registrations_make_one_account(
    committing: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *[committing.post(f"{AUTH}/register", json=NEW) for _ in range(20)]
    )
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert {answer.status_code for answer in answers} == {202, 429}
    assert len({answer.content for answer in accepted}) == 1
    assert len(await rows("select id from user_account")) == 1


async def test_racing_uses_of_a_link_count_once(committing: httpx.AsyncClient) -> None:
    await committing.post(f"{AUTH}/register", json=NEW)
    async with transaction() as session:
        token = await token_of(session)
    answers = await asyncio.gather(
        *[committing.post(f"{AUTH}/activate", json={"token": token}) for _ in range(5)]
    )
    assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400, 400]
    await execute("delete from mail")


@pytest.mark.parametrize(
    "email", ["x@a.b，victim＠good.com", "ﷺ" * 200 + "@x.de", "a@b.c,d@e.f", "㌀" * 100 + "@x.de"]
)
async def test_address_that_becomes_another_one_is_refused(
    client: httpx.AsyncClient, email: str
) -> None:
    body = NEW | {"email": email}
    assert (await client.post(f"{AUTH}/register", json=body)).status_code == 400


async def test_address_with_letters_of_other_alphabets_is_welcome(
    client: httpx.AsyncClient,
) -> None:
    body = NEW | {"email": "жанна.müller+films@пример.example"}
    assert (await client.post(f"{AUTH}/register", json=body)).is_success
