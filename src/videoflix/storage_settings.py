"""Settings of the media storage and of how its bytes reach players."""

from typing import Annotated, Literal

import msgspec

from videoflix.setting_types import SiteUrl, StorageUrl

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
    # Who sends the bytes of videos: app (Videoflix), accel (the proxy, from the media folder),
    # presigned (the bucket, by signed URLs) or cdn (a CDN, by signed URLs).
    delivery: Literal["app", "accel", "presigned", "cdn"] = "app"
    # Header that makes the proxy send a file: X-Accel-Redirect (nginx, Caddy) or X-Sendfile.
    delivery_accel_header: Literal["X-Accel-Redirect", "X-Sendfile"] = "X-Accel-Redirect"
    # What precedes the keys of files in that header: an internal location, or the media folder.
    delivery_accel_prefix: str = "/_media"
    # Signed URLs of bucket or CDN are valid for this long to twice as long, in seconds.
    delivery_url_seconds: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 60
    # URL of the CDN, to which the keys of files are appended, such as https://cdn.example/media.
    cdn_url: SiteUrl | None = None
    # How the CDN verifies URLs: nginx (secure_link), bunny, cloudfront (canned policy) or
    # cloudflare (timed HMAC).
    cdn_signer: Literal["nginx", "bunny", "cloudfront", "cloudflare"] = "nginx"
    # Secret that the CDN verifies URLs with; for cloudfront, the private key (PEM), best in a file.
    cdn_secret_key: str = ""
    # ID of the public key, for cloudfront.
    cdn_key_id: str = ""
