"""The child process that prepares the database; started by bootstrap.py.

Reads a BootstrapRequest as JSON from standard input; the last line of its output is the
BootstrapResult.
"""

import asyncio
import sys

import msgspec
from click import ClickException
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, verify_secret
from videoflix.media.ffmpeg import FFmpegMissing, find_ffmpeg
from videoflix.platform.auth.identity import ADMINISTRATORS, Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Problem
from videoflix.platform.storage.installation import claim_storage
from videoflix.platform.storage.media_storage import media_storage
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings
from videoflix.up.admin import add_admin, errors_as_sentences, migrate
from videoflix.up.bootstrap import BootstrapRequest, BootstrapResult
from videoflix.up.recovery import hand_back_jobs

DEVICE = "videoflix up"


async def run(request: BootstrapRequest) -> BootstrapResult:
    """Create what is missing, in one transaction."""
    async with transaction() as session:
        handed_back = await hand_back_jobs(session) if request.hand_back_jobs else 0
        users = Accounts(session).users
        if await users.count(User.role.in_(ADMINISTRATORS)) == 0:
            # The person who sets up the installation is its owner.
            await add_admin(session, request.admin_email, request.admin_password, role=Role.OWNER)
        first_start = await can_sign_in(session, request)
        admins = await users.get_many(
            User.role.in_(ADMINISTRATORS), User.is_active.is_(True), order_by=("id", False)
        )
        token = (await Sessions(session).open(admins[0], DEVICE)).access if admins else None
    return BootstrapResult(first_start=first_start, jobs_handed_back=handed_back, token=token)


async def can_sign_in(session: AsyncSession, request: BootstrapRequest) -> bool:
    """Whether the first password works: it was never shown if an earlier start was interrupted."""
    user = await Accounts(session).by_email(request.admin_email)
    return user is not None and await verify_secret(user.password_hash, request.admin_password)


async def check_media() -> None:
    """Check that the storage is writable and ffmpeg works, before anything is uploaded.

    Raises ClickException.
    """
    try:
        find_ffmpeg()
    except FFmpegMissing as error:
        raise ClickException(str(error)) from error
    try:
        async with transaction() as session:
            await claim_storage(session, for_writing=True)
        await media_storage().check_writable()
    except (Problem, OSError, ValueError) as error:
        raise ClickException(
            f"STORAGE_URL: {settings.media_url} cannot be written to ({error})."
        ) from error


async def bootstrap(request: BootstrapRequest) -> BootstrapResult:
    await check_media()
    return await run(request)


def main() -> None:
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=BootstrapRequest)
    try:
        migrate()
        with errors_as_sentences():
            result = asyncio.run(bootstrap(request))
    except ClickException as error:
        sys.exit(error.message)
    sys.stdout.write(f"\n{msgspec.json.encode(result).decode()}\n")


if __name__ == "__main__":
    main()
