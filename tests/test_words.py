"""Words that nobody uses here any more, and the term to use instead: docs/glossary.md."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
TEXTS = {".py", ".md", ".js", ".html", ".css", ".txt", ".sql", ".toml", ".yaml", ".template"}
# Where a word stays, and why.
EXCEPTIONS = {
    "docs/glossary.md": "lists them",
    "CHANGELOG.md": "describes earlier releases in their own words",
}


def banned() -> dict[str, str]:
    """Each word of the glossary's second table of words, with what to write instead."""
    section = GLOSSARY.read_text().split("## Words that are gone")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.M)
    return {word: term for words, term in rows[1:] for word in words.split(", ")}


def texts() -> dict[str, str]:
    """Every text of the project by its path."""
    folders = [ROOT / name for name in ("src", "docs", "tests", "scripts", "benchmarks")]
    files = [*ROOT.glob("*"), *(path for folder in folders for path in folder.rglob("*"))]
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for path in files
        if path.suffix in TEXTS and path.is_file() and "vendor" not in path.parts
    }


@pytest.fixture(scope="module")
def texts_by_path() -> dict[str, str]:
    return texts()


@pytest.mark.parametrize("word", banned())
def test_word_is_not_used(word: str, texts_by_path: dict[str, str]) -> None:
    """Also over the end of a line, and within a name."""
    pattern = re.compile(
        r"(?<![a-z])" + re.escape(word).replace(r"\ ", r"[\s_#*/-]+") + r"(?![a-z])", re.I
    )
    found = [
        f"{path}:{text.count(chr(10), 0, hit.start()) + 1}"
        for path, text in texts_by_path.items()
        if path not in EXCEPTIONS and path != "tests/test_words.py"
        for hit in pattern.finditer(text)
    ]
    assert not found, f"instead of “{word}” write: {banned()[word]}"


def test_exceptions_exist() -> None:
    assert all((ROOT / path).exists() for path in EXCEPTIONS)
