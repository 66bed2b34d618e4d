"""Films for tests: what a list needs to be worth looking at."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Category, Video, VideoState, video_category
from videoflix.catalog.service import publish_catalog_change


async def add_films(session: AsyncSession, *films: dict[str, Any]) -> list[int]:
    """Published, playable films, one minute apart, the first one the oldest; their ids."""
    made = []
    for number, fields in enumerate(films):
        browse = fields.pop("categories", [])
        film = Video(
            **{"state": VideoState.READY, "playable": True, "progress": 1.0, "duration": 100.0}
            | fields
        )
        session.add(film)
        await session.flush()
        for category_id in browse:
            await session.execute(
                video_category.insert().values(video_id=film.id, category_id=category_id)
            )
        if "published_at" not in fields:
            await session.execute(
                text(
                    "update video set published_at = now() - cast(:back as int)"
                    " * interval '1 minute' where id = :id"
                ),
                {"back": len(films) - number, "id": film.id},
            )
        made.append(film.id)
    session.expire_all()
    await publish_catalog_change(session)
    await session.commit()
    return made


async def add_category(session: AsyncSession, name: str) -> int:
    category = Category(name=name, slug=name.lower(), position=0)
    session.add(category)
    await session.commit()
    return category.id
