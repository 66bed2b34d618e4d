"""Headers of responses about uploads."""

from collections.abc import Sequence

from videoflix.settings import settings
from videoflix.uploads import resumable
from videoflix.uploads.models import Upload, UploadKind
from videoflix.uploads.resumable import boolean, limits
from videoflix.uploads.tus import ALGORITHMS, CONTENT_TYPE, EXTENSIONS, VERSION, http_date

NO_STORE = {"Cache-Control": "no-store"}


def url_of(upload: Upload) -> str:
    """The path of an upload's resource."""
    return f"/api/v1/uploads/{upload.public_id}"


def capabilities() -> dict[str, str]:
    """What this server supports, in the response to OPTIONS."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(settings.upload_max_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Accept-Patch": f"{CONTENT_TYPE}, {resumable.CONTENT_TYPE}",
        "Upload-Limit": limits(settings.upload_max_bytes),
    }


def progress_headers(upload: Upload) -> dict[str, str]:
    """The offset, and until when the upload can be continued."""
    headers = {
        "Upload-Offset": str(upload.received),
        "Upload-Complete": boolean(upload.is_complete),
    }
    if not upload.is_complete:
        headers["Upload-Expires"] = http_date(upload.expires_at)
        headers["Upload-Limit"] = limits(settings.upload_max_bytes, upload.expires_at)
    return headers


def state_headers(upload: Upload, partials: Sequence[Upload]) -> dict[str, str]:
    """Everything that HEAD tells about an upload."""
    headers = progress_headers(upload) | NO_STORE
    if upload.length is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(upload.length)
    if upload.raw_metadata:
        headers["Upload-Metadata"] = upload.raw_metadata
    if upload.kind is UploadKind.PARTIAL:
        headers["Upload-Concat"] = "partial"
    elif upload.kind is UploadKind.FINAL:
        headers["Upload-Concat"] = f"final;{' '.join(url_of(one) for one in partials)}"
    return headers
