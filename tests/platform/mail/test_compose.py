"""Letters in two languages, as text and HTML."""

from html.parser import HTMLParser

import pytest

from videoflix.platform.mail.compose import LANGUAGES, _strings, render

LETTERS = sorted(_strings("en"))
URL = "https://films.example/#/reset/abc"
VALUES = {"name": "Ada", "url": URL, "endpoint": "https://a.example", "reason": "It answered 500."}


class Links(HTMLParser):
    """What an HTML mail links to, and whether it loads anything."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "a":
            self.links.append(found["href"] or "")
        if "src" in found or tag in {"script", "link", "style"}:
            self.loads.append(tag)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", LETTERS)
def test_every_letter_exists_in_every_language(template: str, language: str) -> None:
    made = render(template, language, VALUES)
    found = Links(made.html)
    assert found.loads == [], "mail programs block what is loaded, and it would tell on readers"
    has_button = bool(_strings(language)[template].button)
    assert found.links == [URL, URL] * has_button
    assert (URL in made.text) == has_button
    assert f'lang="{language}"' in made.html
    assert "{" not in made.text


def test_languages_differ_and_fall_back() -> None:
    made = {
        code: render("reset-password", code, {"url": URL}).subject for code in ("en", "de", "fr")
    }
    assert made["en"] == made["fr"] == "Reset your password"
    assert made["de"] == "Wählen Sie ein neues Passwort"


def test_values_cannot_become_markup_or_headers() -> None:
    name = "<img src=x>\r\nBcc: all@example.org"
    made = render("welcome-admin", "en", {"site": name, "url": URL})
    assert "<img" not in made.html
    assert "&lt;img" in made.html
    assert "\n" not in made.subject
    assert "\r" not in made.subject
