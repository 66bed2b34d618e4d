"""Render mails from their strings (templates/*.toml) and a shared layout."""

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
# Default values of template variables.
DEFAULTS = {"name": "", "hours": "1", "number": "", "amount": "", "endpoint": "", "reason": ""}


class RenderedMail(msgspec.Struct, frozen=True):
    """A rendered mail."""

    subject: str
    text: str
    html: str


class TemplateStrings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The strings of a template in one language; `button` is empty without a link."""

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
def _strings(language: str) -> dict[str, TemplateStrings]:
    content: dict[str, Any] = tomllib.loads((TEMPLATES / f"{language}.toml").read_text())
    return msgspec.convert(content, dict[str, TemplateStrings])


def render(template: str, language: str, values: Mapping[str, str]) -> RenderedMail:
    """Render a template in a language, with English as the fallback.

    `values` are the template variables; `url` is the target of the button. Raises KeyError for an
    unknown template and jinja2.UndefinedError for a missing variable.
    """
    strings = _strings(language if language in LANGUAGES else LANGUAGES[0])[template]
    variables = {
        "name": "",
        "hours": "1",
        "number": "",
        "amount": "",
        "site": settings.site_name,
        **values,
    }
    subject = " ".join(
        _fill(strings.subject, variables).split()
    )  # one line, whatever the variables contain
    filled = {
        **variables,
        "language": language,
        "subject": subject,
        "lines": [_fill(line, variables) for line in strings.lines],
        "button": strings.button,
    }
    return RenderedMail(
        subject=subject,
        text=_layouts.get_template("layout.txt").render(filled).strip() + "\n",
        html=_layouts.get_template("layout.html").render(filled),
    )


def _fill(strings: str, variables: Mapping[str, str]) -> str:
    return _plain.from_string(strings).render(variables)
