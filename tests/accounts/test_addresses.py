"""All spellings of an address are one account, in every script."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from registration.test_api import do_jobs
from videoflix.accounts.addresses import email_key
from videoflix.accounts.service import Accounts

SPELLINGS = [
    ("λογος@example.org", "ΛΟΓΟΣ@example.org"),
    ("λογοσ@example.org", "λογος@example.org"),
    ("straße@example.org", "STRASSE@example.org"),
    ("ışık@example.org", "IŞIK@example.org"),
    ("i\u0307@example.org", "İ@example.org"),
    ("жанна@example.org", "ЖАННА@EXAMPLE.ORG"),
    ("e\u0301@example.org", "É@example.org"),
    ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ("ada@BÜCHER.example", "ADA@XN--BCHER-KVA.EXAMPLE"),
    ("ada@straße.example", "ada@xn--strae-oqa.example"),
    ("ada@λογος.example", "ada@ΛΟΓΟΣ.EXAMPLE"),
    ("ada@example.org", "ada@example.org."),
    ("ada@example.org", "a\u00adda@example.org"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_spellings_have_one_key(one: str, other: str) -> None:
    assert email_key(one) == email_key(other) == email_key(email_key(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [("ada@example.org", "ada@example.com"), ("a.da@x.org", "ada@x.org"), ("ä@x.org", "a@x.org")],
)
def test_other_addresses_have_other_keys(one: str, other: str) -> None:
    assert email_key(one) != email_key(other)


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
async def test_spellings_are_one_account(
    client: httpx.AsyncClient, session: AsyncSession, one: str, other: str
) -> None:
    """Signing in, registering and resetting; mail goes to the address that is stored."""
    user = await Accounts(session).create_user(email=one, password=PASSWORD)
    await session.commit()
    body = {"email": other, "password": PASSWORD}
    assert (await client.post("/api/v1/auth/token", json=body)).status_code == 200
    for path in ("register", "password/forgot"):
        sent = body if path == "register" else {"email": other}
        assert (await client.post(f"/api/v1/auth/{path}", json=sent)).status_code == 202
    await do_jobs(session)
    mails = (await session.execute(text("select recipient, subject from mail order by id"))).all()
    assert [tuple(mail) for mail in mails] == [
        (user.email, "You already have an account"),
        (user.email, "Reset your password"),
    ]
    assert await session.scalar(text("select count(*) from user_account")) == 1


async def test_guesses_at_all_spellings_count_together(client: httpx.AsyncClient) -> None:
    statuses = []
    for email in ("ΛΟΓΟΣ@x.org", "λογος@x.org", "λογοσ@x.org") * 3:
        body = {"email": email, "password": "wrong"}
        statuses.append((await client.post("/api/v1/auth/token", json=body)).status_code)
    assert statuses == [401] * 6 + [429] * 3
