"""Payloads of the media's jobs, with their priorities and deadlines."""

from typing import ClassVar

from videoflix.platform.queue import Job, schedule

# What viewers wait for comes first: inspection, the first seconds and the audio, the poster, the
# chunks a player is about to reach. MP4 files take seconds. The remaining chunks of all videos
# take turns, from this priority downwards.
INSPECTION, FIRST_CHUNK, AUDIO, POSTER, WATCHED, PACKAGE = 30, 20, 19, 15, 14, 12
MORE_TRACKS, REST = 11, 10


# Seconds; a source with a damaged index may have to be decoded from its start for each chunk.
ENCODING_SECONDS = 6 * 3600.0


class Inspect(Job):
    """Probe an uploaded file and plan its renditions, or reject it."""

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
        return FIRST_CHUNK if self.index == 0 else REST

    @property
    def takes_turns(self) -> bool:
        return self.index > 0


class EncodeAudio(Job):
    """Encode an audio rendition of the whole video, part by part; 0 is the default one."""

    name: ClassVar = "media.encode_audio"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    deadline: ClassVar = ENCODING_SECONDS
    asset_id: int
    track: int = 0

    @property
    def effective_priority(self) -> int:
        return MORE_TRACKS if self.track else AUDIO


class MakePoster(Job):
    """Make the poster from a frame of the video."""

    name: ClassVar = "media.make_poster"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = POSTER
    asset_id: int


class ScalePoster(Job):
    """Make the sizes of a poster of an earlier release."""

    name: ClassVar = "media.scale_poster"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "video_id"
    priority: ClassVar = PACKAGE
    video_id: int


class ExtractSubtitles(Job):
    """Extract the text subtitles of the uploaded file, in place of those of an earlier file."""

    name: ClassVar = "media.extract_subtitles"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = MORE_TRACKS
    asset_id: int


class EncodeAgain(Job):
    """Encode a copy of an uploaded file with the present settings, as the video's newest file."""

    name: ClassVar = "media.encode_again"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = INSPECTION
    deadline: ClassVar = 2 * 3600.0
    asset_id: int


class PackageRendition(Job):
    """Package a rendition and the audio into one MP4 file."""

    name: ClassVar = "media.package"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = PACKAGE
    deadline: ClassVar = 2 * 3600.0
    asset_id: int
    rendition: str


class MakeStoryboard(Job):
    """Make a sheet of thumbnails of the whole video."""

    name: ClassVar = "media.make_storyboard"
    queue: ClassVar = "transcode"
    unique: ClassVar = True
    subject: ClassVar = "asset_id"
    priority: ClassVar = PACKAGE
    deadline: ClassVar = 2 * 3600.0
    asset_id: int


class PackageMissing(Job):
    """Enqueue missing posters, MP4 files and storyboards: of older videos, or after failures."""

    name: ClassVar = "media.package_missing"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("20 * * * *", PackageMissing())


class Reconcile(Job):
    """Check that all unfinished work has a job, and enqueue what is missing."""

    name: ClassVar = "media.reconcile"
    unique: ClassVar = True


schedule("* * * * *", Reconcile())


class StallUnserved(Job):
    """Mark files as stalled while no worker encodes."""

    name: ClassVar = "media.stall_unserved"
    unique: ClassVar = True


class ExpireSources(Job):
    """Expire rejected sources that were kept for REJECTED_SOURCE_DAYS."""

    name: ClassVar = "media.expire_sources"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("25 * * * *", ExpireSources())


class DeleteSource(Job):
    """Delete an expired source."""

    name: ClassVar = "media.delete_source"
    attempts: ClassVar = 10
    asset_id: int


class DeleteFolder(Job):
    """Delete the files of a deleted video or a replaced file."""

    name: ClassVar = "media.delete_folder"
    attempts: ClassVar = 10
    folder: str


class SweepAttempts(Job):
    """Delete files left by killed attempts, some time after an asset was completed."""

    name: ClassVar = "media.sweep_attempts"
    queue: ClassVar = "maintenance"
    asset_id: int


class SweepOrphans(Job):
    """Delete objects that killed processes left and no row references."""

    name: ClassVar = "media.sweep_orphans"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True
    deadline: ClassVar = 3 * 3600.0


schedule("45 4 * * *", SweepOrphans())
