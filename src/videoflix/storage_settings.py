"""Settings of the media storage and of how its bytes reach players."""

from typing import Annotated

import msgspec

from videoflix.setting_types import StorageUrl

MiB = 1024 * 1024


class StorageSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The part of `Settings` about storage and delivery; documented like the others."""

    # Where media is stored: file:///path or s3://bucket/prefix; unset, a folder in VIDEOFLIX_HOME.
    storage_url: StorageUrl = StorageUrl("")
    # Whether files are fsynced before an upload is acknowledged: true or false; false is faster,
    # but a power cut loses acknowledged uploads. Has no effect on buckets.
    storage_fsync: bool = True
    # Timeout of each request to a bucket, in seconds.
    storage_timeout_seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] = 30.0
    # Free space that uploads leave on a local disk, in bytes.
    storage_reserve_bytes: Annotated[int, msgspec.Meta(ge=0)] = 256 * MiB
    # Size of the copies of uploaded files that the workers of one VIDEOFLIX_HOME keep while they
    # encode from a bucket, in bytes; those in use and the last one may exceed it.
    source_cache_bytes: Annotated[int, msgspec.Meta(ge=0)] = 40 * 1024 * MiB
