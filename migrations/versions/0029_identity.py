"""One folding of e-mail addresses, passwords that belong to links, one successor a refresh token.

Addresses get a key that equals for all their spellings. Accounts whose addresses turn out to be
the same are all kept: the one that was confirmed first keeps the address, each other one gets a
key that nobody can type and an entry in the audit, so that it is found and given another address
(`videoflix users email`).

What was typed into registrations that nobody confirmed yet is forgotten, because nobody knows who
typed it: their people ask for the mail again, and choose a password by it.
"""

import logging
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

from videoflix.accounts.addresses import email_key

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

logger = logging.getLogger("alembic.runtime.migration")

PEOPLE = sa.text("""
select id, email from user_account order by confirmed_at is null, confirmed_at, id
""")
SET_KEY = sa.text("update user_account set email_key = :key where id = :id")
REPORT = sa.text("""
insert into security_event (kind, user_id, address, device, detail, created_at, updated_at)
values ('address-collision', :id, '', '', :detail, now(), now())
""")


def upgrade() -> None:
    op.add_column("user_account", sa.Column("email_key", sa.String()))
    _fill_keys(op.get_bind())
    op.alter_column("user_account", "email_key", nullable=False)
    op.create_unique_constraint("uq_user_account_email_key", "user_account", ["email_key"])
    op.drop_index("uq_user_account_email", "user_account")
    op.add_column(
        "user_account", sa.Column("auth_version", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("mail_token", sa.Column("password_hash", sa.String()))
    for name, length, default in (
        ("first_name", 100, ""),
        ("last_name", 100, ""),
        ("language", 5, "en"),
    ):
        column = sa.Column(name, sa.String(length), nullable=False, server_default=default)
        op.add_column("mail_token", column)
    op.execute("delete from mail_token where proof = 'activate' and spent_at is null")
    op.execute("update user_account set password_hash = '!' where confirmed_at is null")
    op.add_column("refresh_token", sa.Column("successor_jti", sa.String(32)))


def downgrade() -> None:
    op.drop_column("refresh_token", "successor_jti")
    op.execute("delete from mail_token where proof = 'activate' and spent_at is null")
    for name in ("language", "last_name", "first_name", "password_hash"):
        op.drop_column("mail_token", name)
    op.drop_column("user_account", "auth_version")
    op.create_index(
        "uq_user_account_email", "user_account", [sa.literal_column("lower(email)")], unique=True
    )
    op.drop_constraint("uq_user_account_email_key", "user_account")
    op.drop_column("user_account", "email_key")


def _fill_keys(connection: Any) -> None:
    owners: dict[str, list[int]] = defaultdict(list)
    for user_id, email in connection.execute(PEOPLE).all():
        owners[email_key(email)].append(user_id)
    for key, (first, *others) in owners.items():
        connection.execute(SET_KEY, {"id": first, "key": key})
        for user_id in others:
            connection.execute(SET_KEY, {"id": user_id, "key": f"{key} #{user_id}"})
            detail = f"the address is that of account {first}; give this one another"
            connection.execute(REPORT, {"id": user_id, "detail": detail})
            logger.warning("account %d: %s", user_id, detail)
