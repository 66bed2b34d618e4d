"""The child process that makes the database ready; preparation.py starts it.

Reads Wishes as JSON from standard input, writes Prepared as the last line of its output.
"""

import asyncio
import sys

import msgspec
from click import ClickException

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, access_token
from videoflix.platform.db import transaction
from videoflix.platform.identity import Role
from videoflix.up.admin import add_admin, errors_as_sentences, migrate
from videoflix.up.preparation import Prepared, Wishes
from videoflix.up.recovery import hand_back_jobs


async def fulfil(wishes: Wishes) -> Prepared:
    """Take what is missing care of in one transaction."""
    async with transaction() as session:
        handed_back = await hand_back_jobs(session) if wishes.hand_back_jobs else 0
        users = Accounts(session).users
        missing = await users.count(User.role == Role.ADMIN) == 0
        if missing:
            await add_admin(session, wishes.admin_email, wishes.admin_password)
        admins = await users.get_many(
            User.role == Role.ADMIN, User.is_active.is_(True), order_by=("id", False)
        )
        token = access_token(admins[0]).access if admins else None
    return Prepared(admin_created=missing, jobs_handed_back=handed_back, token=token)


def main() -> None:
    wishes = msgspec.json.decode(sys.stdin.buffer.read(), type=Wishes)
    try:
        migrate()
        with errors_as_sentences():
            prepared = asyncio.run(fulfil(wishes))
    except ClickException as error:
        sys.exit(error.message)
    sys.stdout.write(f"\n{msgspec.json.encode(prepared).decode()}\n")


if __name__ == "__main__":
    main()
