"""`videoflix seed`: a small demo catalogue, or a huge one for benchmarks."""

import asyncio
import hashlib
import random
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import Progress
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Category
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service import Browse, publish_catalog_change
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.media_storage import media_storage
from videoflix.up.admin import errors_as_sentences
from videoflix.up.demo_people import add_people
from videoflix.up.demo_videos import DEMO_VIDEOS, DemoVideo, draw

BATCH = 10_000
WORDS = 3_000
SYLLABLES = ("ba", "cor", "del", "fen", "gor", "hil", "jas", "kel", "lum", "mar", "nor", "pel",
             "quin", "ros", "sil", "tor", "und", "vel", "wes", "zan")  # fmt: skip
GENRES = ("drama", "documentary", "action", "comedy", "animation", "horror", "history", "music")

CATEGORIES = """
insert into category (id, name, slug, position, created_at, updated_at)
select nextval('category_id_seq'), 'Category ' || n, 'category-' || n, n, now(), now()
from generate_series(1, 20) as n on conflict do nothing
"""
# Word frequencies are skewed, as in a real catalogue.
VIDEOS = """
with made as (
    select nextval('video_id_seq') as id, n,
           words[1 + floor(power(random(), 2) * array_length(words, 1))::int] || ' '
           || words[1 + floor(power(random(), 2) * array_length(words, 1))::int] || ' '
           || words[1 + floor(random() * array_length(words, 1))::int] as title,
           words[1 + floor(random() * array_length(words, 1))::int] as author
    from generate_series(1, :count) as n, (select cast(:words as text[]) as words) as given
)
insert into video (id, title, slug, description, genre, language, author, release_year, featured,
                   state, playable, progress, duration, qualities, popularity, upvotes,
                   published_at, created_at, updated_at, search)
select id, initcap(title), replace(title, ' ', '-') || '-' || id, '', genre, 'en', initcap(author),
       1950 + n % 75, n % 500 = 0, 'ready', true, 1, 600 + n % 6600, '{720p,360p}',
       floor(1000 * power(random(), 8))::int, floor(100 * power(random(), 4))::int,
       now() - random() * interval '3000 days', now(), now(),
       video_search(title, author, '{}', genre, '', 'en')
from made, lateral (select (cast(:genres as text[]))[1 + n % 8] as genre) as chosen
returning id
"""
IN_CATEGORIES = """
insert into video_category (video_id, category_id, shown_at)
select video.id, shelf.id, video.shown_at
from video join (select id, row_number() over (order by id) as n from category) as shelf
  on shelf.n = 1 + video.id % (select count(*) from category)
where video.id = any(:ids)
"""
TRIGGERS = ("video_described on video", "video_category_shown on video_category")


async def demo() -> int:
    """Generate a few videos, and add them with their categories; workers encode them.

    Then add members with what they did in the last months; return their number. Raises
    ClickException.
    """
    with errors_as_sentences(), Progress() as progress, TemporaryDirectory() as folder:
        task = progress.add_task("Generating films", total=len(DEMO_VIDEOS))
        for scene in DEMO_VIDEOS:
            film = Path(folder) / "film.mp4"
            await draw(scene, film)
            await add(scene, film)
            film.unlink()
            progress.advance(task)
        async with transaction() as session:
            return await add_people(session)


async def add(scene: DemoVideo, film: Path) -> None:
    """Store a generated file and add its video, unless the title exists."""
    folder = f"assets/{uuid.uuid4().hex}"
    data = await asyncio.to_thread(film.read_bytes)
    digest = hashlib.sha256(data).hexdigest()
    file = StoredFile(folder, f"{folder}/source", "film.mp4", len(data), digest)
    async with transaction() as session:
        if await session.scalar(
            text("select 1 from video where title = :title limit 1"), {"title": scene.title}
        ):
            return
        category = await category_id(session, scene.category)
        draft = VideoCreate(
            title=scene.title,
            description=scene.description,
            author=scene.author,
            genre=scene.genre,
            release_year=scene.year,
            tags=scene.tags,
            featured=scene.year >= 2022,
            categories=[category],
        )
        await media_storage().put(file.key, film)
        await Media(session).accept(draft, file, None)


async def category_id(session: AsyncSession, name: str) -> int:
    """Get or create the category with this name."""
    browse = Browse(session)
    found = await browse.categories.get_one_or_none(Category.name == name)
    return (found or await browse.add_category(name, "", None)).id


async def bulk(videos: int) -> None:
    """Insert videos without files in bulk; the statement does the work of the triggers.

    Raises ClickException.
    """
    words = invented_words()
    with errors_as_sentences(), Progress() as progress:
        task = progress.add_task("Adding films", total=videos)
        async with transaction() as session:
            await session.execute(text("set local statement_timeout = 0"))
            await session.execute(text(CATEGORIES))
            await session.execute(
                text(
                    "insert into search_word select unnest(cast(:words as text[]))"
                    " on conflict do nothing"
                ),
                {"words": sorted(words)},
            )
        for begin in range(0, videos, BATCH):
            count = min(BATCH, videos - begin)
            async with transaction() as session:
                await add_many(session, count, words)
            progress.advance(task, count)
        async with transaction() as session:
            await publish_catalog_change(session)


async def add_many(session: AsyncSession, count: int, words: list[str]) -> None:
    await session.execute(text("set local statement_timeout = 0"))
    for trigger in TRIGGERS:
        name, _, table = trigger.partition(" on ")
        await session.execute(text(f"alter table {table} disable trigger {name}"))
    made = await session.scalars(
        text(VIDEOS), {"count": count, "words": words, "genres": list(GENRES)}
    )
    await session.execute(text(IN_CATEGORIES), {"ids": list(made)})
    for trigger in TRIGGERS:
        name, _, table = trigger.partition(" on ")
        await session.execute(text(f"alter table {table} enable trigger {name}"))


def invented_words() -> list[str]:
    """Generate words of two to four syllables, deterministically."""
    chance = random.Random(7)  # noqa: S311 - no secret
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(words)
