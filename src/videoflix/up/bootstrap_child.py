"""The child process that makes the database ready; bootstrap.py starts it.

Reads Wishes as JSON from standard input, writes Prepared as the last line of its output.
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


async def run(wishes: BootstrapRequest) -> BootstrapResult:
    """Take what is missing care of in one transaction."""
    async with transaction() as session:
        handed_back = await hand_back_jobs(session) if wishes.hand_back_jobs else 0
        users = Accounts(session).users
        if await users.count(User.role.in_(ADMINISTRATORS)) == 0:
            # Whoever sets an installation up owns it.
            await add_admin(session, wishes.admin_email, wishes.admin_password, role=Role.OWNER)
        first_start = await signs_in(session, wishes)
        admins = await users.get_many(
            User.role.in_(ADMINISTRATORS), User.is_active.is_(True), order_by=("id", False)
        )
        token = (await Sessions(session).open(admins[0], DEVICE)).access if admins else None
    return BootstrapResult(first_start=first_start, jobs_handed_back=handed_back, token=token)


async def signs_in(session: AsyncSession, wishes: BootstrapRequest) -> bool:
    """Whether the first password works: made just now, or by a start that never showed it."""
    user = await Accounts(session).by_email(wishes.admin_email)
    return user is not None and await verify_secret(user.password_hash, wishes.admin_password)


async def check_media() -> None:
    """See that films can be stored and encoded, before anybody uploads one.

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


async def bootstrap(wishes: BootstrapRequest) -> BootstrapResult:
    await check_media()
    return await run(wishes)


def main() -> None:
    wishes = msgspec.json.decode(sys.stdin.buffer.read(), type=BootstrapRequest)
    try:
        migrate()
        with errors_as_sentences():
            prepared = asyncio.run(bootstrap(wishes))
    except ClickException as error:
        sys.exit(error.message)
    sys.stdout.write(f"\n{msgspec.json.encode(prepared).decode()}\n")


if __name__ == "__main__":
    main()
