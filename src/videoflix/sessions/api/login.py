"""Who may try to come in, and how often."""

from typing import Any

from litestar import Request

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, CredentialsRefused, account_key, sign_in_turn
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.bucket import Limit, TooManyTries
from videoflix.platform.server.client_address import client_address
from videoflix.sessions.schemas import Credentials
from videoflix.sessions.service.sessions import Sessions

# From one address; guesses at one account from there; and guesses at it from everywhere, which
# slow a botnet down. They cannot keep the owner out where the owner has been before.
SIGN_INS = Limit("sign-in", burst=30, seconds=2)
GUESSES = Limit("guess", burst=6, seconds=60)
GUESSES_EVERYWHERE = Limit("guess-everywhere", burst=100, seconds=10)
GUESTS = Limit("guest", burst=10, seconds=60)


async def authenticated(
    request: Request[Any, Any, Any], accounts: Accounts, sessions: Sessions, data: Credentials
) -> User:
    """Who these credentials belong to, unless too many were tried from the same place.

    Raises CredentialsRefused, TooManyTries or HashingOverloaded. No connection is held while the
    sign-in waits for its turn, nor while one of the limits counts, nor while the password is
    hashed; without a connection to count with nobody gets in (503).
    """
    async with sign_in_turn():
        return await _authenticated(request, accounts, sessions, data)


async def _authenticated(
    request: Request[Any, Any, Any], accounts: Accounts, sessions: Sessions, data: Credentials
) -> User:
    address, account = client_address(request), account_key(data.email)
    async with transaction() as session:
        wait = await SIGN_INS.try_once(session, address)
        wait = wait or await GUESSES.try_once(session, address, account)
        everywhere = None if wait else await GUESSES_EVERYWHERE.try_once(session, account)
    if wait:
        raise TooManyTries(wait)
    if everywhere and not await _has_been_here(data.email, address):
        raise TooManyTries(everywhere)
    try:
        user = await accounts.authenticate(data.email, data.password)
    except CredentialsRefused:
        await _note_refusal(data.email)
        raise
    await GUESSES.forgive(sessions.session, address, account)
    await GUESSES_EVERYWHERE.forgive(sessions.session, account)
    return user


async def _has_been_here(email: str, address: str) -> bool:
    async with transaction() as session:
        user = await Accounts(session).by_email(email)
        return user is not None and await Audit(session).is_familiar(user.id, address)


async def _note_refusal(email: str) -> None:
    """The same steps for known and unknown addresses; what was typed is never kept."""
    async with transaction() as session:
        user = await Accounts(session).by_email(email)
        await Audit(session).record(EventKind.SIGN_IN_REFUSED, user.id if user else None)
