"""Tables of the media: uploaded files, chunks, renditions."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.catalog.models import Video
from videoflix.media.segment_index import pack, unpack
from videoflix.platform.postgres.session import Record


class AssetState(StrEnum):
    """State of an uploaded file.

    - uploaded: stored, to be inspected.
    - encoding: inspected; its chunks are being encoded.
    - stalled: inspection or encoding waits, because the machine is at fault.
    - ready: all renditions are complete.
    - retired: replaced by a newer file; running streams continue until its files are deleted.
    - failed: rejected, or used up its attempts; can be retried.
    """

    UPLOADED = "uploaded"
    ENCODING = "encoding"
    STALLED = "stalled"
    READY = "ready"
    RETIRED = "retired"
    FAILED = "failed"


UNFINISHED = (AssetState.UPLOADED, AssetState.ENCODING, AssetState.STALLED)


# The name of the default audio rendition; see audio_name.
AUDIO = "audio"


def audio_name(track: int) -> str:
    """The name of an audio rendition by its number."""
    return f"{AUDIO}{track + 1}" if track else AUDIO


class TrackKind(StrEnum):
    """Kind of a track; all video tracks share the audio tracks."""

    VIDEO = "video"
    AUDIO = "audio"


class Asset(Record):
    """One uploaded file of a video; `plan` holds a media.plan.EncodePlan after inspection.

    `source_fault` is fsck's finding on the source: missing or damaged. `storyboard` holds a
    media.storyboard.Layout of the thumbnails in the file `sprite_key`, `stills` a
    media.poster.Stills: the automatic poster, and other frames to choose from. `failure_*` are
    set while the state is failed, `stalled_*` while it is stalled; `suspicions` counts the faults
    of the machine that this file may have caused. The source of a rejected file is deleted after
    `source_expires_at`; `source_removed_at` is when it was.
    """

    __tablename__ = "media_asset"

    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"), index=True)
    state: Mapped[AssetState] = mapped_column(default=AssetState.UPLOADED)
    folder: Mapped[str] = mapped_column(String(100), unique=True)
    source_key: Mapped[str]
    source_name: Mapped[str] = mapped_column(String(255))
    source_bytes: Mapped[int] = mapped_column(BigInteger)
    source_sha256: Mapped[str] = mapped_column(String(64))
    source_fault: Mapped[str | None] = mapped_column(String(16), default=None)
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSONB, default=None)
    sprite_key: Mapped[str | None] = mapped_column(default=None)
    sprite_sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    storyboard: Mapped[dict[str, Any] | None] = mapped_column(JSONB, default=None)
    stills: Mapped[dict[str, Any] | None] = mapped_column(JSONB, default=None)
    failure_code: Mapped[str | None] = mapped_column(String(64), default=None)
    failure_reason: Mapped[str | None] = mapped_column(default=None)
    stalled_code: Mapped[str | None] = mapped_column(String(64), default=None)
    stalled_reason: Mapped[str | None] = mapped_column(default=None)
    stalled_at: Mapped[datetime | None] = mapped_column(default=None)
    suspicions: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    source_expires_at: Mapped[datetime | None] = mapped_column(default=None)
    source_removed_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (
        Index(
            "ix_media_asset_unfinished",
            "id",
            postgresql_where=text("state in ('uploaded', 'encoding', 'stalled')"),
        ),
        Index(
            "ix_media_asset_source_expires_at",
            "source_expires_at",
            postgresql_where=text("source_expires_at is not null and source_removed_at is null"),
        ),
    )

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED


class Chunk(Record):
    """A run of frames that one job encodes into every rendition at once."""

    __tablename__ = "media_chunk"

    asset_id: Mapped[int] = mapped_column(ForeignKey(Asset.id, ondelete="CASCADE"))
    index: Mapped[int]
    frame_count: Mapped[int]
    encoded_frames: Mapped[int] = mapped_column(default=0)
    done: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (UniqueConstraint("asset_id", "index"),)


class Rendition(Record):
    """A track that players can choose: one rung of the ladder, or an audio track.

    `max_bitrate` is in bits per second; audio has no width and height. `file_key` is the packaged
    MP4 file with video and audio, of `file_bytes` bytes; null until it is made. `is_complete`: all
    parts of the audio are published; for video, the chunks tell. `track` numbers the audio
    renditions from 0, the default; `language` is a BCP 47 tag or empty, `label` is shown to
    viewers, and `is_described` is for viewers who do not see the picture. `source_index` is the
    audio's stream in the source.
    """

    __tablename__ = "media_rendition"

    asset_id: Mapped[int] = mapped_column(ForeignKey(Asset.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(16))
    kind: Mapped[TrackKind]
    width: Mapped[int | None] = mapped_column(default=None)
    height: Mapped[int | None] = mapped_column(default=None)
    max_bitrate: Mapped[int]
    is_complete: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    track: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    language: Mapped[str] = mapped_column(String(35), server_default="", default="")
    label: Mapped[str] = mapped_column(String(100), server_default="", default="")
    is_described: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    channels: Mapped[int] = mapped_column(server_default=text("2"), default=2)
    source_index: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    file_key: Mapped[str | None] = mapped_column(default=None)
    file_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    file_sha256: Mapped[str | None] = mapped_column(String(64), default=None)

    __table_args__ = (UniqueConstraint("asset_id", "name"),)


class PackedSegments(TypeDecorator[Sequence[Sequence[int]]]):
    """[ticks, offset, length] of each segment, stored as the records of media.segment_index."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[Sequence[int]] | None, _: Dialect) -> bytes | None:
        return None if value is None else pack(value)

    def process_result_value(
        self, value: bytes | None, _: Dialect
    ) -> Sequence[Sequence[int]] | None:
        return None if value is None else unpack(value)


class RenditionFile(Record):
    """One file of a rendition: the segments of one chunk, or the whole audio.

    `segments` lists [duration in ticks, offset, length in bytes]; the file starts with an
    initialisation section of `init_length` bytes. `sha256` is of the whole file, `file_bytes` its
    length, and `start_ticks` when its first sample is shown. `key_frames` holds the length of each
    segment's key frame (media.segment_index). These four are null for files that were encoded by
    earlier releases, and the last for audio.
    """

    __tablename__ = "media_part"

    rendition_id: Mapped[int] = mapped_column(ForeignKey(Rendition.id, ondelete="CASCADE"))
    chunk_index: Mapped[int]
    key: Mapped[str]
    codec: Mapped[str] = mapped_column(String(32))
    timescale: Mapped[int]
    init_length: Mapped[int]
    init_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    segments: Mapped[Sequence[Sequence[int]]] = mapped_column(PackedSegments)
    start_ticks: Mapped[int | None] = mapped_column(BigInteger, default=None)
    file_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    key_frames: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)

    __table_args__ = (UniqueConstraint("rendition_id", "chunk_index"),)
