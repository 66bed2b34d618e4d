"""Password policy and hashing.

Argon2id with the parameters of OWASP's Password Storage Cheat Sheet. Following NIST SP 800-63B,
passwords need a minimum length and must not be common; there are no composition rules.

A hash takes 19 MiB and tens of milliseconds of CPU time. Hashes run in a thread pool on all cores
but one, which stays free for the event loop. The queue of the pool is bounded, so that a burst of
sign-ins fails with 503 instead of waiting for minutes. The threads have a lower priority than the
event loop and the database, and a higher one than encoding. Hash outside a transaction: a
database connection must not be held while waiting for CPU time.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import ClassVar, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from videoflix.accounts import django_passwords
from videoflix.platform.problems import Unavailable

Result = TypeVar("Result")

CONCURRENT_HASHES = max(1, min((os.cpu_count() or 1) - 1, 4))
# Hashes in progress or queued, per process.
WAITING_MAX = 256
# Concurrent sign-ins: one more than threads, which checks its rate limits in the meantime.
SIGN_INS_AT_ONCE = CONCURRENT_HASHES + 1
# Added to the process's nice value; encoders add more (platform/process/launcher.py).
NICE = 7

# The 30,000 most common passwords (Dropbox's zxcvbn, MIT licence).
COMMON = frozenset(FREQUENCY_LISTS["passwords"])

# Stored for accounts without a password, such as guests; no password matches it.
NO_PASSWORD = "!"  # noqa: S105 - no hash

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# Verified for unknown addresses, so that response times do not reveal whether an account exists;
# of a random password, with the parameters above.
DUMMY_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$"
    "RQhR0vZxxf04UB7lR6DHxg$Ahs0vn09u63Pyr/HVXsTuHh4mIGexUwq+GWHAnJaXqA"
)


class HashingOverloaded(Unavailable):
    """Too many people are signing in right now; try again in a few seconds."""

    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


def _lower_priority() -> None:
    """Lower the priority of this thread; Linux has per-thread priorities."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)


class Hashing:
    """A thread pool with a bounded queue."""

    def __init__(self, threads: int, waiting_max: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "passwords", _lower_priority)
        self._waiting_max = waiting_max
        self._waiting = 0

    async def run(self, work: Callable[..., Result], *values: str) -> Result:
        """Run `work` in a thread. Raises HashingOverloaded if the queue is full."""
        if self._waiting >= self._waiting_max:
            raise HashingOverloaded
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *values)
        finally:
            self._waiting -= 1


class Admission:
    """Admission control: a FIFO semaphore with a bounded number of waiters."""

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a slot during the block. Raises HashingOverloaded if too many wait."""
        if self._waiting >= self._waiting_max:
            raise HashingOverloaded
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


hashing = Hashing(CONCURRENT_HASHES, WAITING_MAX)
# Acquired before a sign-in uses the database: a burst must not exhaust the connection pool.
sign_in_admission = Admission(SIGN_INS_AT_ONCE, WAITING_MAX)


async def hash_password(password: str) -> str:
    """Return the PHC string to store. Raises HashingOverloaded."""
    return await hashing.run(_hasher.hash, password)


async def verify(stored: str, password: str, imported: str | None = None) -> bool:
    """Return whether the password matches the stored hash. Raises HashingOverloaded.

    Takes the same time for an account without a password. With `imported`, the hash of any
    account that was imported from an older backend, it also takes the same time whether or not
    the account is such a one: their hashes are slower.
    """
    known = await hashing.run(_verify, DUMMY_HASH if stored == NO_PASSWORD else stored, password)
    if imported is not None:
        is_imported = django_passwords.is_django(stored)
        await hashing.run(_verify, DUMMY_HASH if is_imported else imported, password)
    return known and stored != NO_PASSWORD


def is_outdated(stored: str) -> bool:
    """Return whether the hash was made with outdated parameters, or by an older backend."""
    return django_passwords.is_django(stored) or _hasher.check_needs_rehash(stored)


def password_problem(password: str, email: str) -> str | None:
    """Return why the password is too easy to guess, or None if it is acceptable."""
    folded = password.casefold()
    if folded in COMMON:
        return "This password is too common; choose another."
    if folded in {email.casefold(), email.casefold().partition("@")[0]}:
        return "Your password must not be your e-mail address; choose another."
    return None


def _verify(stored: str, password: str) -> bool:
    if django_passwords.is_django(stored):
        return django_passwords.matches(stored, password)
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
