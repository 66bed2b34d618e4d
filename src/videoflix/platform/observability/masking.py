"""Takes secrets out of what is logged, by their names and by patterns."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
SECRET_NAMES = re.compile(
    r"passw|secret|token|authorization|cookie|credential|api_?key|csrf|^pin$|^(access|refresh)$"
    r"|^(database|smtp)_url$|^dsn$",
    re.IGNORECASE,
)
# A password ends at the last "@" of its URL; in other text, digits before a slash are a port.
URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):\S*@")
PASSWORD_IN_TEXT = re.compile(r"(\b\w+://[^\s:/@]*):(?!\d{1,5}/)\S{1,4096}@")
SECRET_PARAMETER = re.compile(r"([?&][^=&]*(?:secret|key|token|password)[^=&]*=)[^&\s]*", re.I)
# Patterns of secrets and their replacements.
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]*\.[\w-]*"), MASK),  # a JWT
    (re.compile(r"\bvf_[\w-]{10,}"), MASK),  # an API token
    (re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])"), MASK),  # 256 random bits: mailed links
    (re.compile(r"(/play/)[\w.-]{30,}"), rf"\1{MASK}"),  # a play token in a path
    (PASSWORD_IN_TEXT, rf"\1:{MASK}@"),
    (
        re.compile(
            r"((?:token|password|passwd|secret|signature|api_?key|x-amz-\w+)[\"']?\s*[=:]\s*[\"']?)"
            r"[^\s&\"',)}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(\b(?:Bearer|Basic|Token)\s+)[\w.~+/=-]{8,}"), rf"\1{MASK}"),
)


# Prefilter: a text without a match contains none of the patterns.
SUSPICIOUS = re.compile(
    r"eyJ|vf_|/play/|[\w-]{43}|://|token|passw|secret|signature|key|x-amz|bearer|basic",
    re.IGNORECASE,
)


def masked(value: Any, name: str = "") -> Any:
    """Mask secrets in a value; the whole value if its name denotes a secret."""
    if name and value and SECRET_NAMES.search(name):
        return MASK
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, Mapping):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked_text(str(value))


def masked_url(url: str, mask: str = MASK) -> str:
    """Mask the password and the secret parameters of a value that is a URL."""
    return SECRET_PARAMETER.sub(rf"\1{mask}", URL_PASSWORD.sub(rf"\1:{mask}@", url))


def masked_text(text: str) -> str:
    if not SUSPICIOUS.search(text):
        return text
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text
