"""Split search terms into words, for to_tsquery and websearch_to_tsquery of Postgres.

Text in scripts without spaces between words is indexed by character (migration 0033), so part of
a word is found as a phrase of its characters.
"""

import re
import unicodedata

# Ranges of Thai, Lao, Burmese, Khmer, Japanese, Chinese and Korean, as in migration 0033.
UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f]+"
)
WORDS = re.compile(rf"{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})\w)+")
OPERATORS = re.compile(r'"|\bOR\b|(?:^|\s)-\w', re.IGNORECASE)
WORDS_MAX = 16
PREFIX_LETTERS = 3


def has_operators(words: str) -> bool:
    """Whether the terms have quotes, `-` or `or`, as in web search engines."""
    return OPERATORS.search(words) is not None


def websearch_terms(words: str) -> str:
    """Terms for websearch_to_tsquery: runs of unspaced scripts become phrases of characters."""
    normal = unicodedata.normalize("NFKC", words)
    phrase = " {} " if '"' in normal else '"{}"'
    return UNSPACED.sub(lambda run: phrase.format(" ".join(run[0])), normal)


def prefix_query(words: str, weight: str = "") -> str:
    """A query for to_tsquery that matches all words, the last one as a prefix.

    Empty if the last word is shorter than PREFIX_LETTERS; a run of an unspaced script is not.
    `weight` restricts the match, `A` to titles.
    """
    found = WORDS.findall(unicodedata.normalize("NFKC", words))[:WORDS_MAX]
    if not found:
        return ""
    *whole, last = found
    if UNSPACED.match(last):
        return " & ".join(_exact(word, weight) for word in found)
    if len(last) < PREFIX_LETTERS:
        return ""
    return " & ".join([*(_exact(word, weight) for word in whole), f"{last}:*{weight}"])


def _exact(word: str, weight: str) -> str:
    # to_tsquery makes a phrase of a quoted lexeme that has several words.
    lexeme = f"'{' '.join(word)}'" if UNSPACED.match(word) else word
    return f"{lexeme}:{weight}" if weight else lexeme
