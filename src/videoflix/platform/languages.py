"""Language tags (BCP 47) and what languages are called by those who speak them."""

from babel import Locale, UnknownLocaleError
from langcodes import standardize_tag
from langcodes.tag_parser import LanguageTagError

# Undetermined, no linguistic content, uncoded, several (ISO 639-2); "unk" is found in files.
UNKNOWN = frozenset({"und", "unk", "zxx", "mis", "mul"})
TAG_MAX = 35


def language_tag(code: str) -> str:
    """A BCP 47 tag for a code of ISO 639 or BCP 47: "de" for "ger"; empty if it tells nothing."""
    try:
        tag = standardize_tag(code.strip())
    except LanguageTagError:
        return ""
    return "" if tag in UNKNOWN or len(tag) > TAG_MAX else tag


def language_name(tag: str) -> str:
    """The language's own name for itself, such as "Deutsch"; the tag if it is not known."""
    try:
        return Locale.parse(tag, sep="-").get_display_name() or tag
    except (UnknownLocaleError, ValueError):
        return tag
