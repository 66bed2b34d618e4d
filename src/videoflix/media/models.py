"""Tables of the media: what was uploaded, and what became of it."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.catalog.models import Video
from videoflix.platform.db import Record


class AssetState(StrEnum):
    """Where a file stands: stored, planned and being encoded, complete, or hopeless."""

    UPLOADED = "uploaded"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"


class TrackKind(StrEnum):
    """Sound is one track that all pictures share."""

    VIDEO = "video"
    AUDIO = "audio"


class Asset(Record):
    """One uploaded file of a film; `plan` holds a media.plan.Plan once it was inspected.

    `storyboard` holds a media.storyboard.Layout of the small pictures in the file `sprite_key`.
    """

    __tablename__ = "media_asset"

    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"), index=True)
    state: Mapped[AssetState] = mapped_column(default=AssetState.UPLOADED)
    folder: Mapped[str] = mapped_column(String(100), unique=True)
    source_key: Mapped[str]
    source_name: Mapped[str] = mapped_column(String(255))
    source_bytes: Mapped[int] = mapped_column(BigInteger)
    source_sha256: Mapped[str] = mapped_column(String(64))
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSONB, default=None)
    sprite_key: Mapped[str | None] = mapped_column(default=None)
    storyboard: Mapped[dict[str, Any] | None] = mapped_column(JSONB, default=None)


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
    """A track a player can choose: one rung of the ladder, or the sound.

    `max_bitrate` counts bits a second; sound has no width and height. `file_key` names one MP4 file
    of the picture and the sound, of `file_bytes` bytes, once it is there.
    """

    __tablename__ = "media_rendition"

    asset_id: Mapped[int] = mapped_column(ForeignKey(Asset.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(16))
    kind: Mapped[TrackKind]
    width: Mapped[int | None] = mapped_column(default=None)
    height: Mapped[int | None] = mapped_column(default=None)
    max_bitrate: Mapped[int]
    file_key: Mapped[str | None] = mapped_column(default=None)
    file_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)

    __table_args__ = (UniqueConstraint("asset_id", "name"),)


class Part(Record):
    """One file of a rendition: the segments of one chunk, or all of the sound.

    `segments` lists [duration in ticks, offset, length in bytes]; the file begins with
    `init_length` bytes of initialisation section.
    """

    __tablename__ = "media_part"

    rendition_id: Mapped[int] = mapped_column(ForeignKey(Rendition.id, ondelete="CASCADE"))
    chunk_index: Mapped[int]
    key: Mapped[str]
    codec: Mapped[str] = mapped_column(String(32))
    timescale: Mapped[int]
    init_length: Mapped[int]
    init_sha256: Mapped[str] = mapped_column(String(64))
    segments: Mapped[list[list[int]]] = mapped_column(JSONB)

    __table_args__ = (UniqueConstraint("rendition_id", "chunk_index"),)
