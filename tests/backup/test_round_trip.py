"""What is exported comes back, bit for bit; every table is thought of."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from backup.random_rows import everything, fill, wipe
from videoflix.backup.archive import Archive
from videoflix.backup.repository.tables import EXCLUDED_TABLES, EXPORTED_TABLES
from videoflix.cli import main

OURS = """
select relname from pg_class where relkind in ('r', 'p') and not relispartition
and relnamespace = 'public'::regnamespace
"""
REFERENCES = """
select conrelid::regclass::text, confrelid::regclass::text from pg_constraint
where contype = 'f' and conparentid = 0
"""


def videoflix(*arguments: object) -> Result:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(main, [str(part) for part in arguments])
    assert done.exit_code == 0, done.output
    return done


async def test_every_table_is_exported_or_left_out_on_purpose(session: AsyncSession) -> None:
    there = set(await session.scalars(text(OURS)))
    assert there == {*EXPORTED_TABLES, *EXCLUDED_TABLES}
    assert not {*EXPORTED_TABLES} & {*EXCLUDED_TABLES}


async def test_tables_come_after_those_they_refer_to(session: AsyncSession) -> None:
    for child, parent in await session.execute(text(REFERENCES)):
        if child in EXPORTED_TABLES:
            assert parent in EXPORTED_TABLES, f"{child} refers to {parent}, which is not exported"
            assert EXPORTED_TABLES.index(parent) < EXPORTED_TABLES.index(child)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],  # each example is a whole export and two imports: no shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_round_trip_gives_back_every_bit(committed: None, tmp_path: Path, data: Any) -> None:
    wipe()
    fill(data.draw)
    before = everything()
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    videoflix("export", "--to", first)
    with Archive(first) as archive:
        assert all(table.rows for table in archive.manifest.tables.values())
    wipe()
    videoflix("import", first)
    assert everything() == before
    videoflix("import", first, "--replace")
    assert everything() == before
    videoflix("export", "--to", second)
    with Archive(first) as one, Archive(second) as other:
        assert one.manifest.tables == other.manifest.tables
