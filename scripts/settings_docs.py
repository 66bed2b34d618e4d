"""Writes every setting, with the sentence above it in the source, into the documents.

    uv run python scripts/settings_docs.py

The list of .env.template and the table of docs/configure.md are replaced; the rest stays.
"""

import re
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

import msgspec

from videoflix.setting_types import Rate
from videoflix.settings import Settings

ROOT = Path(__file__).parents[1]
SOURCES = ("storage_settings.py", "settings.py")
FIELD = re.compile(r"((?:    # .*\n)+)    (\w+): .*=")
MADE_AT_START = {
    "VIDEOFLIX_HOME": "/var/lib/videoflix for root, else the user's data folder",
}


class Setting(NamedTuple):
    """A variable, its default as one would type it, and what it is."""

    name: str
    default: str
    sentence: str


def documented() -> list[Setting]:
    """All settings, in the order of SOURCES. Raises KeyError for one without a sentence."""
    source = "".join((ROOT / "src" / "videoflix" / name).read_text() for name in SOURCES)
    sentences = {
        name: " ".join(line.strip(" #") for line in comment.splitlines())
        for comment, name in FIELD.findall(source)
    }
    return [
        Setting(field.name.upper(), typed(field.default), sentences[field.name])
        for field in msgspec.structs.fields(Settings)
    ]


def typed(default: object) -> str:
    """A default as it stands in the environment; empty when there is none."""
    if default is None or default is msgspec.NODEFAULT:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if isinstance(default, str | int | float | tzinfo | Rate) else ""


def table() -> str:
    """The settings as rows of a table."""
    rows = [
        f"| `{setting.name}` | {default_of(setting)} | {setting.sentence} |"
        for setting in documented()
    ]
    return "\n".join(rows)


def default_of(setting: Setting) -> str:
    typed_default = f"`{setting.default}`" if setting.default else ""
    return typed_default or MADE_AT_START.get(setting.name, "unset")


def template() -> str:
    """The settings as lines to uncomment."""
    return "\n\n".join(f"# {s.sentence}\n# {s.name}={s.default}" for s in documented())


def replaced(text: str, first: str, last: str, new: str) -> str:
    """The text with everything from the first pattern to the last one replaced."""
    found = re.search(rf"{first}.*?{last}", text, re.S)
    if found is None:
        raise ValueError("the document has lost its list of settings")
    return text[: found.start()] + new + text[found.end() :]


def pages() -> dict[Path, str]:
    """Each document as it should be."""
    configure = ROOT / "docs" / "configure.md"
    example = ROOT / ".env.template"
    first, last = documented()[0], documented()[-1]
    return {
        configure: replaced(
            configure.read_text(), rf"\| `{first.name}`", r"\n(?=\n)(?<=\|\n)", table() + "\n"
        ),
        example: replaced(
            example.read_text(),
            rf"# [^\n]*\n# {first.name}=",
            rf"# {last.name}=[^\n]*",
            template(),
        ),
    }


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text)
