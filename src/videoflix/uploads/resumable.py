"""Headers of resumable uploads for HTTP (draft-ietf-httpbis-resumable-upload).

Interim responses (104) are left out: ASGI has no way to send them. A client learns the URL of an
upload by creating it with `Upload-Complete: ?0` and no content.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

CONTENT_TYPE = "application/partial-upload"
# RFC 9651, 3.3.6.
BOOLEANS = {"?1": True, "?0": False}
# RFC 6266; the second form is for other than ASCII characters (RFC 8187).
FILE_NAME = re.compile(r'filename="((?:[^"\\]|\\.)*)"|filename=([^\s";]+)', re.I)
ENCODED_NAME = re.compile(r"filename\*=UTF-8''([^\s;]+)", re.I)


def completeness_in(headers: Mapping[str, str]) -> bool | None:
    """Parse Upload-Complete; None if it is missing, or has to be ignored."""
    return BOOLEANS.get(headers.get("upload-complete", "").strip())


def boolean(value: bool) -> str:
    """Serialize a boolean of a structured field."""
    return "?1" if value else "?0"


def file_name_in(headers: Mapping[str, str]) -> str:
    """Return the file name in Content-Disposition, or ""."""
    value = headers.get("content-disposition", "")
    if encoded := ENCODED_NAME.search(value):
        return unquote(encoded.group(1))
    found = FILE_NAME.search(value)
    if found is None:
        return ""
    return re.sub(r"\\(.)", r"\1", found.group(1) or found.group(2) or "")


def limits(max_size: int, expires_at: datetime | None = None) -> str:
    """Format Upload-Limit: the maximum size in bytes, and the seconds until expiry."""
    listed = f"max-size={max_size}"
    if expires_at is None:
        return listed
    seconds = int((expires_at - datetime.now(UTC)).total_seconds())
    return f"{listed}, max-age={max(0, seconds)}"
