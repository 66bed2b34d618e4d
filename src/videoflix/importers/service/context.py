"""State of an import: the IDs so far, and its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.importers.repository import ImportRepository
from videoflix.importers.schemas import Kind, KindReport, Old, Site

Record = TypeVar("Record", bound=Old)


class ImportContext:
    """One run of an import; `ids` maps the old IDs of each kind to the new ones.

    `media` is the older backend's media folder, and None if it is not at hand.
    """

    def __init__(self, site: Site, media: Path | None, *, dry_run: bool) -> None:
        self.site = site
        self.media = media
        self.dry_run = dry_run
        self.ids: dict[Kind, dict[int, int]] = {kind: {} for kind in Kind}
        self.reports: dict[Kind, KindReport] = {kind: KindReport() for kind in Kind}

    async def unknown(
        self, session: AsyncSession, kind: Kind, batch: Sequence[Record]
    ) -> list[Record]:
        """Filter the records that no earlier import added."""
        known = await ImportRepository(session).known(
            self.site, kind, [record.id for record in batch]
        )
        self.ids[kind].update(known)
        self.reports[kind].known += len(known)
        return [record for record in batch if record.id not in known]

    async def added(self, session: AsyncSession, kind: Kind, ids: dict[int, int]) -> None:
        """Note the records that this import added."""
        await ImportRepository(session).remember(self.site, kind, ids)
        self.ids[kind].update(ids)
        self.reports[kind].added += len(ids)
