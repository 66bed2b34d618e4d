"""Votes on movies with tallies that triggers keep, and what providers answered (unlogged)."""

import sqlalchemy as sa
from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# A closed account takes many votes along: tallies are locked in the order of their ids, so that
# two such never wait for each other.
COUNTING = """
create function movie_rating_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        perform 1 from movie_tally where movie_id in (select movie_id from gone)
        order by movie_id for update;
        update movie_tally as tally
        set upvotes = tally.upvotes - vote.up, downvotes = tally.downvotes - vote.down
        from (select movie_id,
                     count(*) filter (where rating_type = 'UPVOTE') as up,
                     count(*) filter (where rating_type = 'DOWNVOTE') as down
              from gone group by movie_id) as vote
        where tally.movie_id = vote.movie_id;
    end if;
    if tg_op <> 'DELETE' then
        insert into movie_tally as tally (movie_id, upvotes, downvotes)
        select movie_id,
               count(*) filter (where rating_type = 'UPVOTE'),
               count(*) filter (where rating_type = 'DOWNVOTE')
        from come group by movie_id order by movie_id
        on conflict (movie_id) do update
        set upvotes = tally.upvotes + excluded.upvotes,
            downvotes = tally.downvotes + excluded.downvotes;
    end if;
    return null;
end
$$;
create trigger movie_rating_come after insert on movie_rating
referencing new table as come for each statement execute function movie_rating_counted();
create trigger movie_rating_changed after update on movie_rating
referencing old table as gone new table as come
for each statement execute function movie_rating_counted();
create trigger movie_rating_gone after delete on movie_rating
referencing old table as gone for each statement execute function movie_rating_counted();
"""


def stamps() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def upgrade() -> None:
    kinds = sa.Enum(
        "UPVOTE",
        "DOWNVOTE",
        name="ratingtype",
        native_enum=False,
        create_constraint=True,
        length=32,
    )
    op.create_table(
        "movie_rating",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("movie_id", sa.Uuid(), nullable=False),
        sa.Column("rating_type", kinds, nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_movie_rating_user_id_user_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_movie_rating"),
        sa.UniqueConstraint("user_id", "movie_id", name="uq_movie_rating_user_id"),
    )
    op.create_table(
        "movie_tally",
        sa.Column("movie_id", sa.Uuid(), nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=False),
        sa.Column("downvotes", sa.Integer(), nullable=False),
        sa.CheckConstraint("upvotes >= 0 and downvotes >= 0", name=op.f("ck_movie_tally_votes")),
        sa.PrimaryKeyConstraint("movie_id", name="pk_movie_tally"),
    )
    run_script(op.get_bind(), COUNTING)
    op.create_table(
        "movie_answer",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.String(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        *stamps(),
        sa.PrimaryKeyConstraint("id", name="pk_movie_answer"),
        sa.UniqueConstraint("key", name="uq_movie_answer_key"),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_movie_answer_fetched_at", "movie_answer", ["fetched_at"])


def downgrade() -> None:
    op.drop_table("movie_answer")
    op.drop_table("movie_rating")
    op.execute("drop function movie_rating_counted()")
    op.drop_table("movie_tally")
