"""Full-text search in titles, people, tags, descriptions and subtitles; docs/search.md."""

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
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from videoflix.catalog.models import SubtitleCue, Video, search_word, video_category
from videoflix.catalog.repository.filters import Filters, category_id_of, matching
from videoflix.catalog.repository.rows import VideoRow, categories_of_video, subtitles_of_video
from videoflix.catalog.repository.visibility import visible_to
from videoflix.catalog.schemas import SubtitleHit, Suggestion
from videoflix.catalog.search_terms import WORDS, has_operators, prefix_query, websearch_terms
from videoflix.profiles.schemas import Viewer

# At most this many matches are ranked, to bound the cost of common words.
RANKED = 500
HITS_PER_VIDEO = 3
# Rank of a match in subtitles: below every match in title, people or tags.
MENTION = 0.05
LANGUAGES = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
}
# Sorts after every letter.
LAST_LETTER = "\U0010ffff"
# For the rest of the transaction: the planner misestimates how many rows match a word, and a
# sequential scan until enough are found is fast for common words only.
BY_INDEX = func.set_config("enable_seqscan", "off", True)
# Trigram similarity above which the Levenshtein distance is computed.
ALIKE = text("set local pg_trgm.similarity_threshold = 0.15")


class SearchResult(NamedTuple):
    """A page of search results, and the total number of matches (at most RANKED)."""

    rows: list[VideoRow]
    total: int


class SearchQueries(NamedTuple):
    """The search terms as tsqueries.

    `literal` matches the words as typed, `any` combines all forms for ranking, `inflected` maps
    stemmed queries to the language codes they apply to.
    """

    literal: str
    any: str
    inflected: dict[str, list[str]]


class SearchRepository:
    """Full-text search, spelling correction and suggestions."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def forms(self, words: str) -> SearchQueries:
        """Parse search terms into tsqueries."""
        return await forms_of(self.session, words)

    async def page(
        self, viewer: Viewer, forms: SearchQueries, filters: Filters, page: LimitOffset
    ) -> SearchResult:
        """Select the best matches, ranked by ts_rank and popularity."""
        popularity_boost = 1 + 0.1 * func.ln(1 + Video.popularity)
        every_form = cast(forms.any, TSQUERY)
        rank = func.ts_rank(Video.search, every_form, 1) * popularity_boost
        described = select(Video.id, cast(rank, Float).label("rank"))
        mentioned = select(SubtitleCue.video_id.label("id"), literal(MENTION, Float).label("rank"))
        mentioned = mentioned.join(Video, Video.id == SubtitleCue.video_id)
        conditions = matching(viewer, filters)
        if filters.category is not None:
            in_category = select(video_category.c.video_id).where(
                video_category.c.category_id == category_id_of(filters.category)
            )
            conditions.append(Video.id.in_(in_category))
        # One subquery a form: with OR, the planner often does not use the index.
        parts = [
            part.where(form, *conditions).limit(RANKED).subquery()
            for part, table in ((described, Video), (mentioned, SubtitleCue))
            for form in each_form(table.search, table.language, forms)
        ]
        matches = union_all(*[select(part.c.id, part.c.rank) for part in parts]).subquery()
        ranked = (
            select(
                matches.c.id,
                func.max(matches.c.rank).label("rank"),
                func.count().over().label("total"),
            )
            .group_by(matches.c.id)
            .order_by(func.max(matches.c.rank).desc(), matches.c.id.desc())
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
        return SearchResult([VideoRow(*row[:3]) for row in rows], rows[0][3] if rows else 0)

    async def hits(
        self, forms: SearchQueries, video_ids: Sequence[int]
    ) -> dict[int, list[SubtitleHit]]:
        """Find the first HITS_PER_VIDEO matching subtitle cues of each video."""
        place = func.row_number().over(partition_by=SubtitleCue.video_id, order_by=SubtitleCue.at)
        spoken = (
            select(SubtitleCue.video_id, SubtitleCue.at, SubtitleCue.text, place.label("place"))
            .where(
                SubtitleCue.video_id.in_(video_ids),
                or_(*each_form(SubtitleCue.search, SubtitleCue.language, forms)),
            )
            .subquery()
        )
        rows = await self.session.execute(
            select(spoken.c.video_id, spoken.c.at, spoken.c.text)
            .where(spoken.c.place <= HITS_PER_VIDEO)
            .order_by(spoken.c.video_id, spoken.c.at)
        )
        found: dict[int, list[SubtitleHit]] = {}
        for video_id, at, line in rows:
            found.setdefault(video_id, []).append(SubtitleHit(at, line))
        return found

    async def corrected(self, words: str) -> str | None:
        """Correct misspelt words by trigram similarity and Levenshtein distance.

        None if there is nothing to correct.
        """
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

    async def suggest(self, viewer: Viewer, typed: str, count: int) -> list[Suggestion]:
        """Find titles that start with the prefix, then titles with a word that does."""
        plain: ColumnElement[str] = func.videoflix_plain(cast(typed, Text))
        begins = and_(Video.title_key >= plain, Video.title_key < plain + LAST_LETTER)
        shown = select(Video.id, Video.slug, Video.title).where(visible_to(viewer))
        first = shown.where(begins).order_by(Video.title_key, Video.id).limit(count)
        found = {row.id: Suggestion(*row) for row in await self.session.execute(first)}
        prefix = prefix_query(typed, weight="A")
        if prefix and len(found) < count:
            await self.session.execute(select(BY_INDEX))
            holding = Video.search.op("@@")(func.to_tsquery(config("simple"), folded(prefix)))
            inside = (
                select(Video.id, Video.slug, Video.title, Video.popularity)
                .where(holding, visible_to(viewer))
                .limit(count * 10)
                .subquery()
            )
            best = inside.c.popularity.desc(), inside.c.title
            rows = await self.session.execute(
                select(inside.c.id, inside.c.slug, inside.c.title).order_by(*best)
            )
            for row in rows:
                found.setdefault(row.id, Suggestion(*row))
        return list(found.values())[:count]


async def forms_of(session: AsyncSession, words: str) -> SearchQueries:
    """Let Postgres parse the search terms, so that the search statement gets constants.

    Quotes, `-` and `or` work as in web search engines (websearch_to_tsquery); a query that uses
    them is not stemmed.
    """
    literally = has_operators(words)
    terms = folded(websearch_terms(words))
    prefix = folded("" if literally else prefix_query(words))
    asked = [func.websearch_to_tsquery(config("simple"), terms)]
    asked.append(func.to_tsquery(config("simple"), prefix))
    if not literally:
        asked += [func.websearch_to_tsquery(config(name), terms) for name in LANGUAGES.values()]
    _, exact, begun, *inflected = (
        await session.execute(select(BY_INDEX, *[cast(query, Text) for query in asked]))
    ).one()
    by_form: dict[str, list[str]] = {}
    for code, form in zip(LANGUAGES, inflected, strict=False):
        if form not in {"", exact}:
            by_form.setdefault(form, []).append(code)
    # The prefix query matches whole words as well, so it replaces the exact one.
    return SearchQueries(
        begun or exact, either([query for query in (exact, begun, *by_form) if query]), by_form
    )


def each_form(
    search: InstrumentedAttribute[str], language: InstrumentedAttribute[str], forms: SearchQueries
) -> list[ColumnElement[bool]]:
    """Conditions for a match: literally, or stemmed in the language of the text.

    Stemmed in another language, some words would be stop words and match everything.
    """
    literally = search.op("@@")(cast(forms.literal, TSQUERY))
    inflected = [
        and_(language.in_(codes), search.op("@@")(cast(form, TSQUERY)))
        for form, codes in forms.inflected.items()
    ]
    return [literally, *inflected]


def either(queries: Sequence[str]) -> str:
    """Combine queries with OR."""
    return " | ".join(f"({query})" for query in queries)


def folded(words: str) -> ColumnElement[str]:
    """Ignore case, marks and compatibility forms, as the index does."""
    return func.videoflix_folded(cast(words, Text))


def config(name: str) -> ColumnElement[Any]:
    return literal_column(f"'public.videoflix_{name}'::regconfig")
