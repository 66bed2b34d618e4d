"""Makes a letter's subject, text and HTML from its words (templates/*.toml) and one layout."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from videoflix.settings import settings

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = ("en", "de")
# What letters may leave open.
DEFAULTS = {"name": "", "hours": "1", "number": "", "amount": ""}


class RenderedMail(msgspec.Struct, frozen=True):
    """A letter ready to be sent."""

    subject: str
    text: str
    html: str


class TemplateStrings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a letter says in one language; `button` is empty when it links to nothing."""

    subject: str
    lines: list[str]
    button: str = ""


_plain = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - plain text
_layouts = Environment(
    loader=FileSystemLoader(TEMPLATES),
    undefined=StrictUndefined,
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def _words(language: str) -> dict[str, TemplateStrings]:
    content: dict[str, Any] = tomllib.loads((TEMPLATES / f"{language}.toml").read_text())
    return msgspec.convert(content, dict[str, TemplateStrings])


def render(template: str, language: str, values: Mapping[str, str]) -> RenderedMail:
    """A letter in a language, in English if there is none in that one.

    `values` fill the letter's blanks; `url` is where its button leads. Raises KeyError for an
    unknown letter and jinja2.UndefinedError for a blank without a value.
    """
    words = _words(language if language in LANGUAGES else LANGUAGES[0])[template]
    blanks = {
        "name": "",
        "hours": "1",
        "number": "",
        "amount": "",
        "site": settings.site_name,
        **values,
    }
    subject = " ".join(_fill(words.subject, blanks).split())  # one line, whatever they hold
    filled = {
        **blanks,
        "language": language,
        "subject": subject,
        "lines": [_fill(line, blanks) for line in words.lines],
        "button": words.button,
    }
    return RenderedMail(
        subject=subject,
        text=_layouts.get_template("layout.txt").render(filled).strip() + "\n",
        html=_layouts.get_template("layout.html").render(filled),
    )


def _fill(words: str, blanks: Mapping[str, str]) -> str:
    return _plain.from_string(words).render(blanks)
