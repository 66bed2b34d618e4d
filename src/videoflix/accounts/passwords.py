"""Passwords: which are refused, and how they are hashed.

Argon2id with the parameters of OWASP's Password Storage Cheat Sheet. As NIST SP 800-63B asks,
nothing is demanded of a password but length, and that it is not among the first ones to be tried.
A hash takes 19 MiB and tens of milliseconds of a core. It is made in a thread, on all cores but
one, which stays free for the event loop; the queue before the threads is bounded, so that many
sign-ins at once end in a 503 instead of in minutes of waiting. The threads have a lower priority
than the event loop and the database, and a higher one than encoding. Call it without a
transaction: a database connection must not wait for a processor.
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

from videoflix.platform.problems import Unavailable

Result = TypeVar("Result")

CONCURRENT_HASHES = max(1, min((os.cpu_count() or 1) - 1, 4))
# Hashes that are made or wait for a thread, in one process.
WAITING_MAX = 256
# Sign-ins that are under way: one is counted against its limits while the threads hash for others.
SIGN_INS_AT_ONCE = CONCURRENT_HASHES + 1
# Added to the process's own; the programs that encode add more (platform/process/launcher.py).
NICE = 7

# The thirty thousand most common ones (Dropbox's zxcvbn, MIT licence).
COMMON = frozenset(FREQUENCY_LISTS["passwords"])

# Stored where there is no password, as of guests and unconfirmed accounts: nothing matches it.
NO_PASSWORD = "!"  # noqa: S105 - no hash

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# Verified when nobody has the address, so that the answer takes as long as for a known one.
DUMMY_HASH = _hasher.hash("nobody has this password")


class HashingOverloaded(Unavailable):
    """Too many people sign in at this moment; try again in a few seconds."""

    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


def _lower_priority() -> None:
    """Let this thread yield to the event loop; Linux has a priority for each thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICE)


class Hashing:
    """A bounded queue of hashes before a bounded number of threads."""

    def __init__(self, threads: int, waiting_max: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "passwords", _lower_priority)
        self._waiting_max = waiting_max
        self._waiting = 0

    async def run(self, work: Callable[..., Result], *values: str) -> Result:
        """Raises HashingOverloaded when the queue is full."""
        if self._waiting >= self._waiting_max:
            raise HashingOverloaded
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, work, *values)
        finally:
            self._waiting -= 1


class Admission:
    """Lets so many tasks in at once, in the order of their arrival, and so many others wait."""

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and keep it for the block. Raises HashingOverloaded."""
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
# Before anything of a sign-in touches the database: a rush must not take all connections.
sign_in_admission = Admission(SIGN_INS_AT_ONCE, WAITING_MAX)


async def hash_password(password: str) -> str:
    """The PHC string to store. Raises HashingOverloaded."""
    return await hashing.run(_hasher.hash, password)


async def verify(stored: str, password: str) -> bool:
    """Whether this password made the stored hash. Raises HashingOverloaded.

    Takes the same time for a person without a password.
    """
    known = await hashing.run(_verify, DUMMY_HASH if stored == NO_PASSWORD else stored, password)
    return known and stored != NO_PASSWORD


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def password_problem(password: str, email: str) -> str | None:
    """Why this password would be guessed at once, as a sentence; None when it would not."""
    folded = password.casefold()
    if folded in COMMON:
        return "This password is among the most common ones; choose another."
    if folded in {email.casefold(), email.casefold().partition("@")[0]}:
        return "Your e-mail address is the first thing anybody would try; choose another password."
    return None


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
