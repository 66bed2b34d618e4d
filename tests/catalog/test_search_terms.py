"""How search terms are split, and what Postgres is asked."""

import pytest

from videoflix.catalog.search_terms import (
    WORDS_MAX,
    has_operators,
    prefix_query,
    websearch_terms,
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('"third man"', True),
        ("vienna -noir", True),
        ("-noir", True),
        ("this or that", True),
        ("Oregon", False),
        ("spider-man", False),
        ("2001 - a", False),
    ],
)
def test_operators(words: str, expected: bool) -> None:
    assert has_operators(words) is expected


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        ("third man", "third man"),
        ("東京", '"東 京"'),
        ("東京 story", '"東 京" story'),
        ("-東京", '-"東 京"'),
        ('"東京 story"', '" 東 京  story"'),
        ("ｆｉｌｍ ﾄﾄﾛ", 'film "ト ト ロ"'),
    ],
)
def test_terms_of_unspaced_scripts_are_phrases(words: str, terms: str) -> None:
    assert websearch_terms(words) == terms


@pytest.mark.parametrize(
    ("words", "weight", "query"),
    [
        ("", "", ""),
        ("!", "", ""),
        ("th", "", ""),
        ("the", "", "the:*"),
        ("the thi", "A", "the:A & thi:*A"),
        ("the 東京", "", "the & '東 京'"),
        ("東京 sto", "A", "'東 京':A & sto:*A"),
        ("東京st", "", ""),
        ("it's", "", ""),
    ],
)
def test_last_word_is_a_prefix(words: str, weight: str, query: str) -> None:
    assert prefix_query(words, weight) == query


def test_number_of_words_is_limited() -> None:
    assert prefix_query("word " * 100).count("&") == WORDS_MAX - 1
