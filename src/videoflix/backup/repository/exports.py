"""Queries on the table of exports."""

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, select

from videoflix.backup.models import Export, ExportState
from videoflix.platform.postgres.session import transaction_time


class ExportRepository(SQLAlchemyAsyncRepository[Export]):
    """Exports, newest first."""

    model_type = Export

    async def list_page(self, page: LimitOffset) -> tuple[list[Export], int]:
        return await self.get_many_and_count(page, order_by=[("id", True)])

    async def locked(self, export_id: int) -> Export | None:
        """Lock and reload an export."""
        found: Export | None = await self.session.scalar(
            select(Export)
            .where(Export.id == export_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def waiting(self, *, with_media: bool) -> Export | None:
        """Return the newest pending export."""
        found: Export | None = await self.session.scalar(
            select(Export)
            .where(Export.state == ExportState.WAITING, Export.with_media.is_(with_media))
            .order_by(Export.id.desc())
            .limit(1)
        )
        return found

    async def finish(self, export: Export, state: ExportState) -> None:
        export.state = state
        export.finished_at = await transaction_time(self.session)

    async def delete_oldest(self, kept: int) -> list[str]:
        """Delete all but the newest `kept` exports and older failed ones; return their folders."""
        limit = (
            select(Export.id)
            .where(Export.state == ExportState.READY)
            .order_by(Export.id.desc())
            .offset(kept - 1)
            .limit(1)
            .scalar_subquery()
        )
        deleted = await self.session.scalars(
            delete(Export)
            .where(Export.id < limit, Export.state.in_([ExportState.READY, ExportState.FAILED]))
            .returning(Export.folder)
        )
        return [folder for folder in deleted if folder]

    async def folders(self) -> set[str]:
        """Return the folders of all exports."""
        found = await self.session.scalars(select(Export.folder).where(Export.folder.is_not(None)))
        return {folder for folder in found if folder}
