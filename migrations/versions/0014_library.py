"""What profiles remember: watchlists, watch states, votes; and views, month by month."""

import sqlalchemy as sa
from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COUNTING = """
create function vote_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        update video set upvotes = upvotes - (old.value > 0)::int,
                         downvotes = downvotes - (old.value < 0)::int where id = old.video_id;
    end if;
    if tg_op <> 'DELETE' then
        update video set upvotes = upvotes + (new.value > 0)::int,
                         downvotes = downvotes + (new.value < 0)::int where id = new.video_id;
    end if;
    return null;
end
$$;
create trigger vote_counted after insert or update of value or delete on vote
for each row execute function vote_counted();

-- One row a profile, title and day; the default partition takes what comes before its month does.
create table video_view (
    video_id bigint not null,
    profile_id bigint not null,
    seen_on date not null,
    constraint pk_video_view primary key (seen_on, video_id, profile_id)
) partition by range (seen_on);
create table video_view_other partition of video_view default;
"""


def stamps() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def owned(table: str) -> list[sa.Constraint]:
    """A row of a profile about a film, once."""
    return [
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profile.id"],
            name=f"fk_{table}_profile_id_profile",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name=f"fk_{table}_video_id_video", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("profile_id", "video_id", name=f"uq_{table}_profile_id"),
    ]


def upgrade() -> None:
    op.create_table(
        "watchlist_entry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Double(), nullable=False),
        *stamps(),
        *owned("watchlist_entry"),
    )
    op.create_table(
        "watch_state",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("client_at", sa.DateTime(timezone=True), nullable=False),
        *stamps(),
        *owned("watch_state"),
    )
    op.create_index("ix_watch_state_client_at", "watch_state", ["profile_id", "client_at"])
    op.create_index(
        "ix_watch_state_unfinished",
        "watch_state",
        ["profile_id", "client_at"],
        postgresql_where=sa.text("not finished"),
    )
    op.create_table(
        "vote",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        *stamps(),
        *owned("vote"),
    )
    for table in ("watchlist_entry", "watch_state", "vote"):
        op.create_index(f"ix_{table}_video_id", table, ["video_id"])
    run_script(op.get_bind(), COUNTING)


def downgrade() -> None:
    for table in ("video_view", "vote", "watch_state", "watchlist_entry"):
        op.drop_table(table)
    op.execute("drop function vote_counted()")
