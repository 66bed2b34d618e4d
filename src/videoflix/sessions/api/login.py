"""Password sign-in with rate limits."""

from typing import Any

from litestar import Request

from videoflix.accounts.models import User
from videoflix.accounts.problems import InvalidCredentials
from videoflix.accounts.service import Accounts, account_key, sign_in_turn
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.bucket import AttemptLimit, TooManyAttempts
from videoflix.platform.server.client_address import client_address
from videoflix.sessions.schemas import Credentials
from videoflix.sessions.service.sessions import Sessions

# Limits per client address, per account and address, and per account in total. The last one slows
# down a botnet; it does not apply to addresses from which the user has signed in before.
SIGN_INS = AttemptLimit("sign-in", burst=30, seconds=2)
LOGIN_ATTEMPTS = AttemptLimit("guess", burst=6, seconds=60)
LOGIN_ATTEMPTS_EVERYWHERE = AttemptLimit("guess-everywhere", burst=100, seconds=10)
GUESTS = AttemptLimit("guest", burst=10, seconds=60)


async def authenticated(
    request: Request[Any, Any, Any], accounts: Accounts, sessions: Sessions, data: Credentials
) -> User:
    """Authenticate with a password, subject to the rate limits.

    Raises InvalidCredentials, TooManyAttempts or HashingOverloaded. No connection is held while the
    sign-in waits for admission, for its rate limits or for hashing. Fails closed (503) while the
    database is unavailable.
    """
    async with sign_in_turn():
        return await _authenticated(request, accounts, sessions, data)


async def _authenticated(
    request: Request[Any, Any, Any], accounts: Accounts, sessions: Sessions, data: Credentials
) -> User:
    address, account = client_address(request), account_key(data.email)
    async with transaction() as session:
        wait = await SIGN_INS.try_acquire(session, address)
        wait = wait or await LOGIN_ATTEMPTS.try_acquire(session, address, account)
        everywhere = None if wait else await LOGIN_ATTEMPTS_EVERYWHERE.try_acquire(session, account)
    if wait:
        raise TooManyAttempts(wait)
    if everywhere and not await _is_familiar_address(data.email, address):
        raise TooManyAttempts(everywhere)
    try:
        user = await accounts.authenticate(data.email, data.password)
    except InvalidCredentials:
        await _record_failed_login(data.email)
        raise
    await LOGIN_ATTEMPTS.reset(sessions.session, address, account)
    await LOGIN_ATTEMPTS_EVERYWHERE.reset(sessions.session, account)
    return user


async def _is_familiar_address(email: str, address: str) -> bool:
    async with transaction() as session:
        user = await Accounts(session).by_email(email)
        return user is not None and await Audit(session).is_familiar(user.id, address)


async def _record_failed_login(email: str) -> None:
    """Record a failed sign-in, in the same steps for known and unknown addresses.

    The credentials are not stored.
    """
    async with transaction() as session:
        user = await Accounts(session).by_email(email)
        await Audit(session).record(EventKind.SIGN_IN_REFUSED, user.id if user else None)
