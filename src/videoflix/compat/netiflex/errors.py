"""How this backend says what is wrong; its client reads the first of each list."""

from videoflix.compat.drf.errors import Refusal


def said(kind: str, *messages: str) -> dict[str, list[str]]:
    return {"type": [kind], "message": list(messages)}


def told(kind: str, *messages: str) -> Refusal:
    return Refusal(said(kind, *messages))
