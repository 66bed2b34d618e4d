"""Passwords: which are refused, and how they are hashed.

Argon2id with the parameters of OWASP's Password Storage Cheat Sheet. As NIST SP 800-63B asks,
nothing is demanded of a password but length, and that it is not among the first ones to be tried.
A hash takes 19 MiB and tens of milliseconds, so it is made in a thread of low priority, one a
core at a time: many sign-ins at once can then neither stall everybody else nor eat the memory.
"""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

AT_ONCE = min(os.cpu_count() or 1, 4)
# Linux gives priorities to threads; elsewhere they stay as they are.
NICENESS = 19

# The thirty thousand most common ones (Dropbox's zxcvbn, MIT licence).
COMMON = frozenset(FREQUENCY_LISTS["passwords"])

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# Verified when nobody has the address, so that the answer takes as long as for a known one.
NOBODY = _hasher.hash("nobody has this password")


def _step_back() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


_hashing = ThreadPoolExecutor(AT_ONCE, "passwords", initializer=_step_back)


async def hash_password(password: str) -> str:
    """The PHC string to store."""
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, password)


async def matches(stored: str, password: str) -> bool:
    """Whether this password made the stored hash."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_hashing, _verify, stored, password)


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def weakness(password: str, email: str) -> str | None:
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
