"""Languages as files name them, and as viewers read them."""

import pytest

from videoflix.platform.languages import language_name, language_tag


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("ger", "de"), ("deu", "de"), ("DE", "de"), ("de_at", "de-AT"), ("zh-hans", "zh-Hans"),
        ("und", ""), ("mul", ""), ("", ""), ("???", ""), ("ger\x00", ""), ("a" * 9, ""),
        ("qaa", "qaa"), ("en-" + "-".join(["abcdefgh"] * 9), ""),
    ],
)  # fmt: skip
def test_codes_become_tags(code: str, tag: str) -> None:
    assert language_tag(code) == tag


@pytest.mark.parametrize(
    ("tag", "name"),
    [("de", "Deutsch"), ("zh-Hans", "中文 (简体)"), ("tlh", "tlh"), ("x" * 40, "x" * 40)],
)
def test_languages_are_called_as_their_speakers_do(tag: str, name: str) -> None:
    assert language_name(tag) == name
