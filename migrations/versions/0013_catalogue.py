"""What a catalogue says about its films, categories, and searching in Postgres."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from videoflix.platform.postgres.session import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LANGUAGES = ("english", "german", "french", "spanish", "italian", "portuguese", "dutch")

# Searching ignores accents; `simple` keeps the words of titles and people as they are.
CONFIGURATION = """
create text search configuration videoflix_{name} (copy = pg_catalog.{name});
alter text search configuration videoflix_{name}
    alter mapping for hword, hword_part, word with unaccent, {dictionary};
"""

FUNCTIONS = """
create function videoflix_plain(words text) returns text
language sql immutable parallel safe strict
as $$ select lower(public.unaccent('public.unaccent', words)) $$;

create function videoflix_config(language text) returns regconfig
language sql immutable parallel safe
as $$
    select case language
        when 'en' then 'public.videoflix_english' when 'de' then 'public.videoflix_german'
        when 'fr' then 'public.videoflix_french' when 'es' then 'public.videoflix_spanish'
        when 'it' then 'public.videoflix_italian' when 'pt' then 'public.videoflix_portuguese'
        when 'nl' then 'public.videoflix_dutch' else 'public.videoflix_simple'
    end::regconfig
$$;

-- Titles weigh most (A), people and tags next (B), then genre (C) and description (D).
create function video_search(title text, author text, tags text[], genre text, description text,
                             language text) returns tsvector
language sql immutable parallel safe
as $$
    select setweight(to_tsvector('public.videoflix_simple', title), 'A')
        || setweight(to_tsvector(videoflix_config(language), title), 'A')
        || setweight(to_tsvector('public.videoflix_simple',
                                 author || ' ' || array_to_string(tags, ' ')), 'B')
        || setweight(to_tsvector('public.videoflix_simple', genre), 'C')
        || setweight(to_tsvector(videoflix_config(language), left(description, 10000)), 'D')
$$;

create function video_described() returns trigger language plpgsql as $$
begin
    if new.slug = '' then
        new.slug := trim(both '-' from regexp_replace(
            left(videoflix_plain(new.title), 80), '[^a-z0-9]+', '-', 'g') || '-' || new.id);
    end if;
    new.search := video_search(new.title, new.author, new.tags, new.genre, new.description,
                               new.language);
    insert into search_word (word)
    select distinct word
    from unnest(tsvector_to_array(to_tsvector('public.videoflix_simple',
                new.title || ' ' || new.author || ' ' || array_to_string(new.tags, ' ')))) as word
    where length(word) between 4 and 40
    order by word
    on conflict do nothing;
    return new;
end
$$;
create trigger video_described
before insert or update of title, author, tags, genre, description, language on video
for each row execute function video_described();

create function video_category_shown() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'video' then
        update video_category set shown_at = new.shown_at where video_id = new.id;
        return null;
    end if;
    select shown_at into new.shown_at from video where id = new.video_id;
    return new;
end
$$;
create trigger video_category_shown before insert on video_category
for each row execute function video_category_shown();
create trigger video_category_moved after update of published_at on video
for each row when (old.shown_at is distinct from new.shown_at)
execute function video_category_shown();

create function subtitle_cue_written() returns trigger language plpgsql as $$
begin
    new.search := to_tsvector(videoflix_config(new.language), new.text)
               || to_tsvector('public.videoflix_simple', new.text);
    return new;
end
$$;
create trigger subtitle_cue_written before insert or update of text on subtitle_cue
for each row execute function subtitle_cue_written();
"""
DROP = """
drop trigger video_described on video;
drop trigger video_category_moved on video;
drop table subtitle_cue, subtitle, video_category, category, search_word;
drop function subtitle_cue_written(), video_category_shown(), video_described();
"""


def stamps() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def add(name: str, kind: sa.types.TypeEngine, default: str, *, computed: bool = False) -> None:
    """A column that is never empty; existing rows get the default."""
    if computed:
        op.add_column("video", sa.Column(name, kind, sa.Computed(default, persisted=True)))
        op.alter_column("video", name, nullable=False)
    else:
        op.add_column(
            "video", sa.Column(name, kind, server_default=sa.text(default), nullable=False)
        )


def upgrade() -> None:
    op.execute("create extension if not exists unaccent")
    op.execute("create extension if not exists pg_trgm")
    op.execute("create extension if not exists fuzzystrmatch")
    configurations = [("simple", "simple"), *((name, f"{name}_stem") for name in LANGUAGES)]
    run_script(
        op.get_bind(),
        "".join(CONFIGURATION.format(name=n, dictionary=d) for n, d in configurations),
    )
    text_array = postgresql.ARRAY(sa.String(length=50))
    add("slug", sa.String(length=120), "''")
    add("genre", sa.String(length=50), "''")
    add("language", sa.String(length=5), "'en'")
    op.add_column("video", sa.Column("release_year", sa.SmallInteger(), nullable=True))
    add("age_rating", sa.SmallInteger(), "0")
    add("author", sa.String(length=150), "''")
    add("tags", text_array, "'{}'")
    add("featured", sa.Boolean(), "false")
    audience = sa.Enum(
        "everyone",
        "members",
        "private",
        name="audience",
        native_enum=False,
        create_constraint=True,
        length=32,
    )
    add("audience", audience, "'everyone'")
    # What could be watched until now stays published since it was uploaded.
    op.add_column("video", sa.Column("published_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update video set published_at = created_at")
    op.add_column("video", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    for name in ("upvotes", "downvotes", "views", "popularity"):
        add(name, sa.Integer(), "0")
    add("score", sa.Integer(), "upvotes - downvotes", computed=True)
    add(
        "shown_at",
        sa.DateTime(timezone=True),
        "coalesce(published_at, created_at)",
        computed=True,
    )
    add("search", postgresql.TSVECTOR(), "''")
    tables()
    run_script(op.get_bind(), FUNCTIONS)
    add(
        "title_key",
        sa.String(length=400, collation="C"),
        "videoflix_plain(title)",
        computed=True,
    )
    op.execute("update video set title = title")
    op.create_unique_constraint("uq_video_slug", "video", ["slug"])
    op.drop_index("ix_video_created_at_id", "video")
    op.drop_index("ix_video_uploaded_by", "video")
    for columns in (
        ["shown_at"],
        ["title_key"],
        ["genre", "shown_at"],
        ["language", "shown_at"],
        ["release_year", "shown_at"],
        ["uploaded_by", "shown_at"],
        ["duration"],
        ["popularity"],
        ["score"],
    ):
        op.create_index(f"ix_video_{columns[0]}", "video", [*columns, "id"])
    op.create_index(
        "ix_video_featured",
        "video",
        ["shown_at", "id"],
        postgresql_where=sa.text("featured is true"),
    )
    op.create_index(
        "ix_video_deleted_at",
        "video",
        ["deleted_at"],
        postgresql_where=sa.text("deleted_at is not null"),
    )
    op.create_index(
        "ix_video_visible",
        "video",
        ["id"],
        postgresql_include=["deleted_at", "playable", "published_at", "age_rating", "audience"],
    )
    op.create_index("ix_video_search", "video", ["search"], postgresql_using="gin")
    op.create_index("ix_video_tags", "video", ["tags"], postgresql_using="gin")


def tables() -> None:
    op.create_table(
        "category",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("picture", sa.String(), nullable=True),
        *stamps(),
        sa.PrimaryKeyConstraint("id", name="pk_category"),
        sa.UniqueConstraint("name", name="uq_category_name"),
        sa.UniqueConstraint("slug", name="uq_category_slug"),
    )
    op.create_table(
        "video_category",
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_video_category_video_id_video", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["category.id"],
            name="fk_video_category_category_id_category",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("video_id", "category_id", name="pk_video_category"),
    )
    op.create_index(
        "ix_video_category_category_id",
        "video_category",
        ["category_id", "shown_at", "video_id"],
    )
    op.create_table(
        "search_word",
        sa.Column("word", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("word", name="pk_search_word"),
    )
    op.create_index(
        "ix_search_word_word",
        "search_word",
        ["word"],
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
    )
    op.create_table(
        "subtitle",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("label", sa.String(length=50), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_subtitle_video_id_video", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subtitle"),
        sa.UniqueConstraint("video_id", "language", name="uq_subtitle_video_id"),
    )
    op.create_table(
        "subtitle_cue",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subtitle_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), server_default="", nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["subtitle_id"],
            ["subtitle.id"],
            name="fk_subtitle_cue_subtitle_id_subtitle",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subtitle_cue"),
    )
    op.create_index("ix_subtitle_cue_subtitle_id", "subtitle_cue", ["subtitle_id"])
    op.create_index("ix_subtitle_cue_video_id", "subtitle_cue", ["video_id", "at"])
    op.create_index("ix_subtitle_cue_search", "subtitle_cue", ["search"], postgresql_using="gin")


def downgrade() -> None:
    run_script(op.get_bind(), DROP)
    op.drop_index("ix_video_uploaded_by", "video")
    for name in (
        "title_key",
        "shown_at",
        "search",
        "score",
        "popularity",
        "views",
        "downvotes",
        "upvotes",
    ):
        op.drop_column("video", name)
    for name in ("deleted_at", "published_at", "audience", "featured", "tags", "author"):
        op.drop_column("video", name)
    op.drop_index("ix_video_duration", "video")
    for name in ("age_rating", "release_year", "language", "genre", "slug"):
        op.drop_column("video", name)
    op.create_index("ix_video_created_at_id", "video", ["created_at", "id"])
    op.create_index("ix_video_uploaded_by", "video", ["uploaded_by"])
    run_script(
        op.get_bind(),
        "drop function video_search(text, text, text[], text, text, text),"
        " videoflix_config(text), videoflix_plain(text);"
        + "".join(
            f"drop text search configuration videoflix_{name};" for name in ("simple", *LANGUAGES)
        ),
    )
