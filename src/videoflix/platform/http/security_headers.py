"""Security headers of all responses: routes, errors and static files.

OWASP ASVS 5.0, 3.2.1 (content rendered in the wrong context), 3.4.1 (HSTS), 3.4.3 to 3.4.6.
Headers that a response sets itself take precedence.
"""

from collections.abc import Iterable

from videoflix.settings import settings

Headers = list[tuple[bytes, bytes]]

ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}
# For API data, which must not run or load anything when opened as a page.
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'; sandbox"
# Without `sandbox`, which prevents browsers from opening videos and PDFs directly.
MEDIA_POLICY = b"frame-ancestors 'none'"
SELF_CONTAINED = (b"video/", b"audio/", b"application/pdf", b"text/html")
# Types that front ends on other sites embed; data is fetched with CORS instead.
EMBEDDED = (b"image/", b"video/", b"audio/", b"text/vtt", b"application/vnd.apple.mpegurl")
ONE_YEAR = b"max-age=31536000"


def with_security_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the response's headers with missing security headers added."""
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
        (name, _without_duplicates(value) if name == b"content-type" else value)
        for name, value in own
    ] + added


def _without_duplicates(kind: bytes) -> bytes:
    """Remove duplicate parameters: Litestar appends a charset to types that already have one."""
    head, *parameters = [part.strip() for part in kind.split(b";")]
    return b"; ".join([head, *dict.fromkeys(parameters)])
