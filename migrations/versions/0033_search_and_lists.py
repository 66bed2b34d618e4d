"""Search in every script; indexes of videos by duration and of invoices by month."""

import sqlalchemy as sa
from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# Combining marks of Latin, Greek and Cyrillic, of Hebrew, and of Arabic with its tatweel.
MARKS = r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670]"
# Scripts without spaces between words; catalog/repository/search.py has the same ranges.
UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f]"
)
# Functions name their schema: pg_restore runs them without a search path.
# Compatibility forms (full-width letters, ligatures), marks, case and the final sigma are ignored.
# Each character of an unspaced script is indexed as a word, and "dont" beside "Don't".
FOLDING = r"""
create function videoflix_folded(words text) returns text
language sql immutable parallel safe strict
as $$
    select translate(lower(normalize(
        regexp_replace(normalize(words, nfkd), 'MARKS', '', 'g'), nfc)), 'ς', 'σ')
$$;

create function videoflix_indexed(words text) returns text
language sql immutable parallel safe strict
as $$
    select regexp_replace(public.videoflix_folded(words), '(UNSPACED)', ' \1 ', 'g')
        || coalesce((select ' ' || string_agg(translate(found[1], '''’ʼ', ''), ' ')
                     from regexp_matches(public.videoflix_folded(words), '\w+(?:[''’ʼ]\w+)+', 'g')
                          as found), '')
$$;

create or replace function videoflix_plain(words text) returns text
language sql immutable parallel safe strict
as $$ select left(public.unaccent('public.unaccent', public.videoflix_folded(words)), 400) $$;
"""
SEARCH = """
create or replace function video_search(title text, author text, tags text[], genre text,
                                        description text, language text) returns tsvector
language sql immutable parallel safe
as $$
    select setweight(to_tsvector('public.videoflix_simple', {title}), 'A')
        || setweight(to_tsvector(videoflix_config(language), {title}), 'A')
        || setweight(to_tsvector('public.videoflix_simple', {people}), 'B')
        || setweight(to_tsvector('public.videoflix_simple', {genre}), 'C')
        || setweight(to_tsvector(videoflix_config(language), {description}), 'D')
$$;

create or replace function subtitle_cue_written() returns trigger language plpgsql as $$
begin
    new.search := to_tsvector(videoflix_config(new.language), {text})
               || to_tsvector('public.videoflix_simple', {text});
    return new;
end
$$;

update video set title = title;
update subtitle_cue set text = text;
"""
EXPRESSIONS = {
    "title": "title",
    "people": "author || ' ' || array_to_string(tags, ' ')",
    "genre": "genre",
    "description": "left(description, 10000)",
    "text": "new.text",
}


def upgrade() -> None:
    indexed = {name: f"public.videoflix_indexed({value})" for name, value in EXPRESSIONS.items()}
    op.drop_index("ix_video_duration", "video")
    op.create_index("ix_video_duration", "video", [sa.text("coalesce(duration, 0)"), "id"])
    op.drop_index("ix_invoice_period", "invoice")
    op.create_index("ix_invoice_period", "invoice", ["period", "id"])
    folding = FOLDING.replace("UNSPACED", UNSPACED).replace("MARKS", MARKS)
    run_script(op.get_bind(), folding + SEARCH.format(**indexed))


def downgrade() -> None:
    op.drop_index("ix_video_duration", "video")
    op.create_index("ix_video_duration", "video", ["duration", "id"])
    op.drop_index("ix_invoice_period", "invoice")
    op.create_index("ix_invoice_period", "invoice", ["period"])
    run_script(
        op.get_bind(),
        """
        create or replace function videoflix_plain(words text) returns text
        language sql immutable parallel safe strict
        as $$ select lower(public.unaccent('public.unaccent', words)) $$;
        """
        + SEARCH.format(**EXPRESSIONS)
        + "drop function videoflix_indexed(text), videoflix_folded(text);",
    )
