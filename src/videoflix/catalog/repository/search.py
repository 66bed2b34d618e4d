"""Searching: full text in titles, people, tags, descriptions and subtitles; docs/search.md."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from advanced_alchemy.filters import LimitOffset
from sqlalchemy import (
    ColumnElement,
    Float,
    Text,
    and_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from videoflix.catalog.models import SubtitleCue, Video, search_word, video_category
from videoflix.catalog.repository.listing import (
    Filters,
    Listed,
    categories_of_video,
    category_id_of,
    matching,
    subtitles_of_video,
    visible_to,
)
from videoflix.catalog.schemas import Hit, Suggestion
from videoflix.profiles.schemas import Viewing

# So many matches are ranked; who finds more should say more.
RANKED = 1_000
HITS_PER_FILM = 3
# A film that merely mentions it comes after all whose title, people or tags do.
MENTION = 0.05
WORDS = re.compile(r"\w+")
OPERATORS = re.compile(r'"|\bOR\b|(?:^|\s)-\w', re.IGNORECASE)
LANGUAGES = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
}
# How alike words must be to be compared letter by letter.
ALIKE = text("set local pg_trgm.similarity_threshold = 0.15")


class Found(NamedTuple):
    """A page of what a search found, and how much it found in all (at most RANKED)."""

    films: list[Listed]
    total: int


class SearchRepository:
    """What answers the words people type."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def page(
        self, viewing: Viewing, words: str, filters: Filters, page: LimitOffset
    ) -> Found:
        """The best matches, ranked by where the words stand and how popular the film is."""
        fame = 1 + 0.1 * func.ln(1 + Video.popularity)
        rank = func.ts_rank(Video.search, any_form(words), 1) * fame
        described = select(Video.id, cast(rank, Float).label("rank")).where(
            holds(Video.search, Video.language, words), *matching(viewing, filters)
        )
        mentioned = (
            select(SubtitleCue.video_id.label("id"), literal(MENTION, Float).label("rank"))
            .join(Video, Video.id == SubtitleCue.video_id)
            .where(
                holds(SubtitleCue.search, SubtitleCue.language, words),
                *matching(viewing, filters),
            )
        )
        if filters.category is not None:
            shelf = select(video_category.c.video_id).where(
                video_category.c.category_id == category_id_of(filters.category)
            )
            described = described.where(Video.id.in_(shelf))
            mentioned = mentioned.where(Video.id.in_(shelf))
        parts = [part.limit(RANKED).subquery() for part in (described, mentioned)]
        matches = union_all(*[select(part.c.id, part.c.rank) for part in parts]).subquery()
        ranked = (
            select(
                matches.c.id,
                func.sum(matches.c.rank).label("rank"),
                func.count().over().label("total"),
            )
            .group_by(matches.c.id)
            .order_by(func.sum(matches.c.rank).desc(), matches.c.id.desc())
            .limit(page.limit)
            .offset(page.offset)
            .subquery()
        )
        found = await self.session.execute(
            select(Video, categories_of_video(), subtitles_of_video(), ranked.c.total)
            .join(ranked, ranked.c.id == Video.id)
            .order_by(ranked.c.rank.desc(), Video.id.desc())
        )
        rows = found.all()
        return Found([Listed(*row[:3]) for row in rows], rows[0][3] if rows else 0)

    async def hits(self, words: str, video_ids: Sequence[int]) -> dict[int, list[Hit]]:
        """Where in these films the words are spoken, the first few places of each."""
        place = func.row_number().over(partition_by=SubtitleCue.video_id, order_by=SubtitleCue.at)
        spoken = (
            select(SubtitleCue.video_id, SubtitleCue.at, SubtitleCue.text, place.label("place"))
            .where(
                SubtitleCue.video_id.in_(video_ids),
                holds(SubtitleCue.search, SubtitleCue.language, words),
            )
            .subquery()
        )
        rows = await self.session.execute(
            select(spoken.c.video_id, spoken.c.at, spoken.c.text)
            .where(spoken.c.place <= HITS_PER_FILM)
            .order_by(spoken.c.video_id, spoken.c.at)
        )
        found: dict[int, list[Hit]] = {}
        for video_id, at, line in rows:
            found.setdefault(video_id, []).append(Hit(at, line))
        return found

    async def corrected(self, words: str) -> str | None:
        """The words with each that nobody wrote replaced by the most alike; None if none is."""
        typed = WORDS.findall(words)[:8]
        better = []
        await self.session.execute(ALIKE)
        for word in typed:
            plain: ColumnElement[str] = func.videoflix_plain(cast(word, Text))
            letters = func.levenshtein(search_word.c.word, plain)
            found: str | None = await self.session.scalar(
                select(search_word.c.word)
                .where(search_word.c.word.op("%")(plain), letters <= 1 + len(word) // 4)
                .order_by(letters, func.similarity(search_word.c.word, plain).desc())
                .limit(1)
            )
            better.append(found or word.lower())
        return " ".join(better) if better != [word.lower() for word in typed] else None

    async def suggest(self, viewing: Viewing, typed: str, count: int) -> list[Suggestion]:
        """Films whose title begins with this, then those with a word that does."""
        plain: ColumnElement[str] = func.videoflix_plain(cast(typed, Text))
        begins = Video.title_key.like(
            func.replace(func.replace(func.replace(plain, "\\", "\\\\"), "%", "\\%"), "_", "\\_")
            + "%"
        )
        shown = (Video.id, Video.slug, Video.title, Video.popularity)
        first = (
            select(*shown, literal(0).label("tier"))
            .where(begins, visible_to(viewing))
            .order_by(Video.title_key, Video.id)
            .limit(count)
        )
        tiers: list[Any] = [first.subquery()]
        if prefix := prefix_of(typed, weight="A"):
            inside = (
                select(*shown, literal(1).label("tier"))
                .where(
                    Video.search.op("@@")(func.to_tsquery(config("simple"), prefix)),
                    visible_to(viewing),
                )
                .limit(count * 10)
            )
            tiers.append(inside.subquery())
        everything = union_all(*[select(tier) for tier in tiers]).subquery()
        rows = await self.session.execute(
            select(everything.c.id, everything.c.slug, everything.c.title)
            .group_by(everything.c.id, everything.c.slug, everything.c.title)
            .order_by(
                func.min(everything.c.tier),
                func.max(everything.c.popularity).desc(),
                everything.c.title,
            )
            .limit(count)
        )
        return [Suggestion(*row) for row in rows]


def holds(
    search: InstrumentedAttribute[str], language: InstrumentedAttribute[str], words: str
) -> ColumnElement[bool]:
    """Whether a text holds the words: as they are, or in its own language in any form.

    In other languages some of them would be stop words, and match everything. What stands in
    quotes, after `-` or around `or` is understood as on web pages, and taken literally.
    """
    literally = search.op("@@")(literal_form(words))
    if OPERATORS.search(words):
        return literally
    forms = [
        and_(language == code, search.op("@@")(func.websearch_to_tsquery(config(name), words)))
        for code, name in LANGUAGES.items()
    ]
    return or_(literally, *forms)


def any_form(words: str) -> ColumnElement[Any]:
    """The words in every form, to rank by."""
    query = literal_form(words)
    for name in LANGUAGES.values():
        query = query.op("||")(func.websearch_to_tsquery(config(name), words))
    return query


def literal_form(words: str) -> ColumnElement[Any]:
    """The words as they are, and the last one as the beginning of a longer one."""
    query: ColumnElement[Any] = func.websearch_to_tsquery(config("simple"), words)
    prefix = "" if OPERATORS.search(words) else prefix_of(words)
    return query.op("||")(func.to_tsquery(config("simple"), prefix)) if prefix else query


def prefix_of(words: str, weight: str = "") -> str:
    """All words, the last one unfinished, in the syntax of to_tsquery; empty if it is too short."""
    found = WORDS.findall(words)[:16]
    if not found or len(found[-1]) < 3:
        return ""
    whole = [f"{word}:{weight}" if weight else word for word in found[:-1]]
    return " & ".join([*whole, f"{found[-1]}:*{weight}"])


def config(name: str) -> ColumnElement[Any]:
    return literal_column(f"'public.videoflix_{name}'::regconfig")
