"""Headers that every response carries, whatever made it: a route, an error, a static file.

OWASP ASVS 5.0, 3.2.1 (no content in the wrong context), 3.4.1 (HSTS), 3.4.3 to 3.4.6. What a
response sets itself stays.
"""

from collections.abc import Iterable

from videoflix.settings import settings

Headers = list[tuple[bytes, bytes]]

ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}
# Data is not for showing: opened as a page it may do nothing.
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'; sandbox"
# A sandbox would keep browsers from playing a film or showing a PDF that is opened by itself.
MEDIA_POLICY = b"frame-ancestors 'none'"
SELF_CONTAINED = (b"video/", b"audio/", b"application/pdf", b"text/html")
# Front ends on other sites embed posters and films; data they fetch by CORS, which this is not for.
EMBEDDED = (b"image/", b"video/", b"audio/", b"text/vtt", b"application/vnd.apple.mpegurl")
ONE_YEAR = b"max-age=31536000"


def with_security_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The response's own headers and those that are missing."""
    own = [(name.lower(), value) for name, value in headers]
    names = {name for name, _ in own}
    kind = next((value for name, value in own if name == b"content-type"), b"").lower()
    wanted = {
        **ALWAYS,
        b"content-security-policy": (
            MEDIA_POLICY if kind.startswith(SELF_CONTAINED) else DATA_POLICY
        ),
        b"cross-origin-resource-policy": (
            b"cross-origin" if kind.startswith(EMBEDDED) else b"same-origin"
        ),
    }
    if kind.startswith(b"text/html"):
        wanted[b"cross-origin-opener-policy"] = b"same-origin"
    if settings.site_url.startswith("https:"):
        wanted[b"strict-transport-security"] = ONE_YEAR
    added = [(name, value) for name, value in wanted.items() if name not in names]
    return [
        (name, _once(value) if name == b"content-type" else value) for name, value in own
    ] + added


def _once(kind: bytes) -> bytes:
    """A content type with one charset; Litestar appends one to types that have it already."""
    head, *parameters = [part.strip() for part in kind.split(b";")]
    return b"; ".join([head, *dict.fromkeys(parameters)])
