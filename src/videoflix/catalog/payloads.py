"""Payloads of the catalogue's jobs."""

from typing import ClassVar

from videoflix.platform.queue import Job, schedule


class PurgeDeleted(Job):
    """Purge videos, with their files, that were soft-deleted 30 days ago."""

    name: ClassVar = "catalog.purge"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("35 3 * * *", PurgeDeleted())


class AnnouncePublication(Job):
    """Announce a scheduled publication to every process, so that caches are invalidated."""

    name: ClassVar = "catalog.announce_publication"
    queue: ClassVar = "maintenance"
    video_id: int


class DeletePicture(Job):
    """Delete a category's previous picture from the storage."""

    name: ClassVar = "catalog.delete_picture"
    attempts: ClassVar = 10
    key: str
