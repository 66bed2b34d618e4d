"""The reconciler runs each minute: films that are complete cost it nothing."""

import json

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media import unqueued

COMPLETE = 100_000
FILL = text("""
with film as (
    insert into video (title, description, state, playable, progress, qualities,
                       created_at, updated_at)
    values ('Film', '', 'ready', true, 1, '{}', now(), now()) returning id
)
insert into media_asset (video_id, state, folder, source_key, source_name, source_bytes,
                         source_sha256, plan, created_at, updated_at)
select film.id, case when number % 5000 = 0 then 'stalled' else 'ready' end, 'assets/' || number,
       'assets/' || number || '/source', 'a.mp4', 1, '', '{"has_audio": true}', now(), now()
from film, generate_series(1, :count) as number
""")
VALUES = {"limit": 500, "stall": 30.0, "code": "no-worker"}


@pytest.fixture
async def full(session: AsyncSession) -> AsyncSession:
    await session.execute(FILL, {"count": COMPLETE})
    for table in ("media_asset", "media_chunk", "media_rendition", "media_part"):
        await session.execute(text(f"analyze {table}"))
    return session


async def test_complete_films_cost_the_reconciler_nothing(full: AsyncSession) -> None:
    for name in ("LACKING", "WITHOUT_WORKER", "WITH_WORKER_AGAIN"):
        statement: TextClause = getattr(unqueued, name)
        values = {key: VALUES[key] for key in statement._bindparams}
        [[plan]] = await full.execute(text(f"explain (analyze, format json) {statement}"), values)
        found = plan[0] if isinstance(plan, list) else json.loads(plan)[0]
        said = json.dumps(found)
        assert _scans(found["Plan"], "media_asset") == [], said
        assert found["Execution Time"] < 500, said  # milliseconds; single-digit on an idle machine
        print(name, found["Execution Time"])


def _scans(node: dict[str, object], table: str) -> list[object]:
    """The sequential scans of a table in a plan."""
    here = node["Node Type"] == "Seq Scan" and node["Relation Name"] == table
    children = node.get("Plans", [])
    assert isinstance(children, list)
    return [*([node] if here else []), *(one for child in children for one in _scans(child, table))]
