"""Password hashes: argon2id with the parameters of OWASP's Password Storage Cheat Sheet.

A hash takes 19 MiB and tens of milliseconds, so it is made in a thread, a few at a time: many
sign-ins at once can then neither stall the event loop nor eat the memory.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 4

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_turn = asyncio.Semaphore(AT_ONCE)

# Verified when nobody has the address, so that the answer takes as long as for a known one.
NOBODY = _hasher.hash("nobody has this password")


async def hash_password(password: str) -> str:
    """The PHC string to store."""
    async with _turn:
        return await asyncio.to_thread(_hasher.hash, password)


async def matches(stored: str, password: str) -> bool:
    """Whether this password made the stored hash."""
    async with _turn:
        return await asyncio.to_thread(_verify, stored, password)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
