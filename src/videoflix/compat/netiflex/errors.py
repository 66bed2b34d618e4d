"""Error bodies of this backend; its client reads the first of each list."""

from videoflix.compat.drf.errors import DrfError


def error_item(kind: str, *messages: str) -> dict[str, list[str]]:
    return {"type": [kind], "message": list(messages)}


def error_body(kind: str, *messages: str) -> DrfError:
    return DrfError(error_item(kind, *messages))
