"""Schemas and jobs of exports."""

from datetime import datetime
from typing import ClassVar, Self

import msgspec

from videoflix.backup.models import Export, ExportState
from videoflix.platform.http.params import Page
from videoflix.platform.queue import Job, schedule


class ExportRead(msgspec.Struct):
    """An export of the installation; it has a size and can be downloaded once it is ready.

    `rows` is the number of rows of all tables, `failure` the reason if it failed.
    """

    id: int
    state: ExportState
    with_media: bool
    created_at: datetime
    finished_at: datetime | None
    size: int | None
    rows: int | None
    failure: str | None

    @classmethod
    def of(cls, export: Export) -> Self:
        return msgspec.convert(export, cls, from_attributes=True)


class ExportPage(Page[ExportRead]):
    """A page of exports."""


class MakeExport(Job):
    """Create the archive of an export."""

    name: ClassVar = "transfer.make_export"
    attempts: ClassVar = 3
    deadline: ClassVar = 24 * 3600.0
    export_id: int
    with_media: bool

    @property
    def lock(self) -> str:
        return self.name

    @property
    def unique_key(self) -> str:
        return f"{self.name} media={self.with_media}"


class WeeklyExport(Job):
    """Request an export without media."""

    name: ClassVar = "transfer.weekly_export"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("0 6 * * 0", WeeklyExport())


class SweepExports(Job):
    """Delete exports beyond EXPORTS_KEPT, and files of unfinished ones."""

    name: ClassVar = "transfer.sweep_exports"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("50 3 * * *", SweepExports())
