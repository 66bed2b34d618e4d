"""Jobs of the media: what each is asked to do, how urgently, and within which time."""

from typing import ClassVar

from videoflix.platform.queue import Job

# What a viewer waits for comes first: knowing the film, its first seconds and its sound, its
# poster, what a player is about to reach. MP4 files of a complete film take seconds. The rest of
# all films is encoded in turn, from this priority downwards.
INSPECTION, FIRST_PICTURE, POSTER, WATCHED, PACKAGE, REST = 30, 20, 15, 14, 12, 10


# A chunk of a film whose index is damaged may have to be decoded from the film's beginning.
ENCODING_SECONDS = 6 * 3600.0


class Inspect(Job):
    """Find out what was uploaded and plan its renditions, or refuse it."""

    name: ClassVar = "media.inspect"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = INSPECTION
    deadline: ClassVar = 3600.0
    asset_id: int


class EncodeChunk(Job):
    """Encode one chunk into every rendition."""

    name: ClassVar = "media.encode_chunk"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    deadline: ClassVar = ENCODING_SECONDS
    asset_id: int
    index: int

    @property
    def effective_priority(self) -> int:
        return FIRST_PICTURE if self.index == 0 else REST

    @property
    def takes_turns(self) -> bool:
        return self.index > 0


class EncodeAudio(Job):
    """Encode the sound of the whole film."""

    name: ClassVar = "media.encode_audio"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = FIRST_PICTURE
    deadline: ClassVar = ENCODING_SECONDS
    asset_id: int


class MakePoster(Job):
    """Choose a picture that stands for the film."""

    name: ClassVar = "media.make_poster"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = POSTER
    asset_id: int


class PackageRendition(Job):
    """Put a rendition and the sound into one MP4 file."""

    name: ClassVar = "media.package"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = PACKAGE
    deadline: ClassVar = 2 * 3600.0
    asset_id: int
    rendition: str


class MakeStoryboard(Job):
    """Lay small pictures of the whole film out on one sheet."""

    name: ClassVar = "media.make_storyboard"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = PACKAGE
    deadline: ClassVar = 2 * 3600.0
    asset_id: int


class PackageMissing(Job):
    """Package the films that have no MP4 files: older ones, and those that failed."""

    name: ClassVar = "media.package_missing"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


class Reconcile(Job):
    """Prove that every unfinished film has work queued, and queue what is missing."""

    name: ClassVar = "media.reconcile"
    unique: ClassVar = True


class StallUnserved(Job):
    """Say in films that no worker encodes, unless one does by now."""

    name: ClassVar = "media.stall_unserved"
    unique: ClassVar = True


class ExpireSources(Job):
    """Let go of the files of refused films that were kept for REJECTED_SOURCE_DAYS."""

    name: ClassVar = "media.expire_sources"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


class DeleteSource(Job):
    """Remove the file of a refused film, and nothing else."""

    name: ClassVar = "media.delete_source"
    attempts: ClassVar = 10
    asset_id: int


class DeleteFolder(Job):
    """Remove the files of a film that is gone, or of a file that another one replaced."""

    name: ClassVar = "media.delete_folder"
    attempts: ClassVar = 10
    folder: str


class SweepAttempts(Job):
    """Remove what attempts that were killed left behind, some time after a film was complete."""

    name: ClassVar = "media.sweep_attempts"
    queue: ClassVar = "maintenance"
    asset_id: int


class SweepOrphans(Job):
    """Remove what killed processes left in the storage and no row knows of."""

    name: ClassVar = "media.sweep_orphans"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True
    deadline: ClassVar = 3 * 3600.0
