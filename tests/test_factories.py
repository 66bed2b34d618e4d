"""Every table has a factory whose rows the database accepts."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import videoflix.app
import videoflix.worker
from factories import FACTORIES, InvoiceLineFactory, RowFactory, VideoFactory, create
from videoflix.platform.postgres.session import Record


def test_every_table_has_a_factory() -> None:
    assert videoflix.app
    assert videoflix.worker
    assert {mapper.class_.__tablename__ for mapper in Record.registry.mappers} == {*FACTORIES}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
async def test_rows_are_valid_by_default(
    session: AsyncSession, factory: type[RowFactory[Record]]
) -> None:
    row = await create(session, factory)
    table = row.__tablename__
    statement = text(f"select count(*) from {table} where id = :id")
    assert await session.scalar(statement, {"id": row.id}) == 1


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_values_are_the_same_in_every_run(factory: type[RowFactory[Record]]) -> None:
    """What a factory does not name has the table's default, never a random value."""
    row = factory.build()
    given = {name for name in vars(row) if not name.startswith("_")}
    assert given <= {*vars(factory)}


async def test_columns_can_be_given(session: AsyncSession) -> None:
    video = await create(session, VideoFactory, title="Alien", playable=False)
    assert (video.title, video.playable, video.state) == ("Alien", False, "ready")


async def test_what_a_row_refers_to_is_created_as_well(session: AsyncSession) -> None:
    line = await create(session, InvoiceLineFactory)
    statement = text("select count(*) from invoice where id = :id")
    assert await session.scalar(statement, {"id": line.invoice_id}) == 1
