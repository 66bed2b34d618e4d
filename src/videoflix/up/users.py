"""`videoflix users`: list and manage accounts."""

import msgspec
from advanced_alchemy.filters import LimitOffset
from rich.console import Console
from rich.table import Table

from videoflix.accounts.models import User
from videoflix.accounts.schemas import Email
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.up.admin import errors_as_sentences
from videoflix.user_admin.schemas import UserAdminUpdate
from videoflix.user_admin.service import UserAdmin, UserNotFound

BATCH = 500


async def show() -> None:
    """Print every account, newest first. Raises ClickException."""
    table = Table("id", "e-mail", "name", "role", "state", "created", box=None)
    with errors_as_sentences():
        async with transaction() as session:
            user_admin, total = UserAdmin(session), 1
            while table.row_count < total:
                people, total = await user_admin.list_page(LimitOffset(BATCH, table.row_count))
                for user in people:
                    state = "active" if user.is_active else "deactivated"
                    if user.confirmed_at is None:
                        state = "unconfirmed"
                    created = f"{user.created_at:%Y-%m-%d}"
                    table.add_row(str(user.id), user.email, user.name, user.role, state, created)
    Console().print(table)


async def deactivate(email: str) -> None:
    """Deactivate an account, which signs it out everywhere. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            user_admin = UserAdmin(session)
            user = await _named(user_admin, email)
            await user_admin.deactivate(user.id, by=None)


async def set_password(email: str, password: str) -> None:
    """Set an account's password, which signs it out everywhere. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            user_admin = UserAdmin(session)
            user = await _named(user_admin, email)
            await user_admin.set_password(user.id, password, by=None)


async def change_email(user_id: int, email: str) -> None:
    """Change an account's e-mail address. Raises ClickException."""
    with errors_as_sentences():
        address = msgspec.convert(email, Email)
        async with transaction() as session:
            await UserAdmin(session).change_email(user_id, address, by=None)


async def change_role(email: str, role: str) -> None:
    """Change an account's role. Raises ClickException."""
    with errors_as_sentences():
        async with transaction() as session:
            user_admin = UserAdmin(session)
            user = await _named(user_admin, email)
            await user_admin.change(user.id, UserAdminUpdate(role=Role(role)), by=None)


async def _named(user_admin: UserAdmin, email: str) -> User:
    user = await user_admin.accounts.by_email(email)
    if user is None:
        raise UserNotFound(f"No user has the e-mail address {email}.")
    return user
