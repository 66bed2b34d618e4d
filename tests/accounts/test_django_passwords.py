"""Hashes that Django made are verified, replaced at the next sign-in, and no slower to guess."""

import time

import httpx
import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from videoflix.accounts.django_passwords import ITERATIONS_MAX, imported, is_django, matches
from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts

# Of the password "Träume 42", made by Django 5.2 with few iterations.
SCRYPT = "Arq7PC5TlX231CcQIZ1CXCq6sIHR3lWulrJ3E0cPB1ft/tX2yU/2u3A9vtjiKXhNbM5SAnQoK4mKGfI2iOAnwQ=="
HASHES = [
    "pbkdf2_sha256$2000$seasalt12$xA4ivI7LTaRkOboxroJWEzTrWv+qE8CuNW7OLGKDrrU=",
    "pbkdf2_sha1$2000$seasalt12$3ZCmNZ9BNUQrx+AvGChOoyAh9Bs=",
    f"scrypt$1024$seasalt12$8$5${SCRYPT}",
    "argon2$argon2id$v=19$m=1024,t=2,p=8$c2Vhc2FsdDEy$2JSNSL0hkv2+Vpsq70gZFDVpr93GSIDJQ3iJYxrqleo",
]
SLOW = HASHES[0].replace("$2000$", "$600000$")


@pytest.mark.parametrize("encoded", HASHES)
def test_hashes_of_django_are_verified(encoded: str) -> None:
    stored = imported(encoded)
    assert stored is not None
    assert is_django(stored)
    assert matches(stored, "Träume 42")
    assert not matches(stored, "Träume 43")
    assert not matches(stored, "")


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "!unusable",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv",
        f"pbkdf2_sha256${ITERATIONS_MAX + 1}$salt$aGFzaA==",
        "pbkdf2_sha256$0$salt$aGFzaA==",
        "scrypt$1000$salt$8$5$aGFzaA==",
        f"scrypt${1 << 22}$salt$8$5$aGFzaA==",
        HASHES[0] + "\n",
    ],
)
def test_other_hashes_are_not_taken_over(encoded: str) -> None:
    assert imported(encoded) is None


async def test_the_first_sign_in_replaces_the_hash(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(update(User).values(password_hash=imported(HASHES[0])))
    sent = {"email": "viewer@example.org", "password": "Träume 42"}
    assert (await client.post("/api/v1/auth/token", json=sent)).status_code == 200
    stored = await session.scalar(text("select password_hash from user_account"))
    assert stored.startswith("$argon2id$")
    assert (await client.post("/api/v1/auth/token", json=sent)).status_code == 200


async def test_the_time_of_a_refusal_tells_nobody_whose_hash_is_old(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await Accounts(session).create_user(email="old@example.org", password=PASSWORD)
    await session.execute(
        update(User).where(User.email == "old@example.org").values(password_hash=imported(SLOW))
    )
    await session.commit()
    taken = {}
    for email in ("old@example.org", "viewer@example.org", "nobody@example.org"):
        begin = time.process_time()  # of all threads: hashing is nearly all of it
        with pytest.raises(Exception, match="e-mail address or password"):
            await Accounts.authenticate(Accounts(session), email, "wrong")
        taken[email] = time.process_time() - begin
    assert max(taken.values()) < 1.5 * min(taken.values()), taken
