"""What a setting may be, beyond text and numbers; each raises ValueError for anything else."""

import re
from urllib.parse import unquote, urlsplit

SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
SECONDS |= {"d": 86_400, "day": 86_400}
RATE = re.compile(rf"([1-9]\d{{0,8}})/({'|'.join(SECONDS)})")


class SmtpServer:
    """A mail server: smtp://user:password@host:587 or smtps://user:password@host."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("expected smtp://user:password@host:587 or smtps://user:password@host")
        self.host = parts.hostname
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.implicit_tls = parts.scheme == "smtps"
        self.port = parts.port or (465 if self.implicit_tls else 587 if self.password else 25)

    @property
    def must_start_tls(self) -> bool:
        """Whether a password would be readable on the way without STARTTLS."""
        return bool(self.password) and not self.implicit_tls


class Rate:
    """So often in a span of time: 60/min, 5/s, 1000/hour, 10000/day; or `off`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.is_off = text.strip().lower() == "off"
        found = RATE.fullmatch(text.replace(" ", "").lower())
        if found is None and not self.is_off:
            raise ValueError(f"expected a rate like 60/min, or off, not `{text}`")
        self.count = int(found[1]) if found else 0
        self.span_seconds = SECONDS[found[2]] if found else 0

    def __str__(self) -> str:
        return self._text
