"""E-mail addresses: how they are stored, and when two of them are one account.

`email_key` is the only thing accounts are looked up by. It folds case in every script (Unicode
NFKC, upper and lower case in one, so that `ß` is `ss` and a final sigma is a sigma), drops
characters nobody sees, and writes a domain the same way whether it came as Unicode or as punycode
(UTS 46). It is never mailed to: mail goes to the address as it was typed.
"""

import unicodedata

import idna

DOTLESS = str.maketrans({"ı": "i"})
DOT_ABOVE = "i\u0307"  # what the capital İ becomes in small letters
PUNYCODE = "xn--"
INVISIBLE = "Cf"  # Unicode's category of soft hyphens, joiners and marks of direction


def normalized(email: str) -> str:
    """The address as it is stored and mailed to: one spelling for what looks the same (NFKC)."""
    return unicodedata.normalize("NFKC", email).strip().rstrip(".")


def email_key(email: str) -> str:
    """Equal for all spellings of one account's address."""
    local, at, domain = normalized(email).rpartition("@")
    return f"{_folded(local)}{at}{_folded_domain(domain)}"


def _folded_domain(domain: str) -> str:
    mapped = _mapped(domain)
    labels = [_folded(_mapped(_decoded(label))) for label in mapped.rstrip(".").split(".")]
    return ".".join(labels)


def _mapped(domain: str) -> str:
    """As UTS 46 maps it: other full stops, widths and invisible characters are gone."""
    try:
        return idna.uts46_remap(domain, std3_rules=False)
    except idna.IDNAError:
        return domain


def _decoded(label: str) -> str:
    """The Unicode of a label in punycode; what is none stays as it is."""
    if not label.lower().startswith(PUNYCODE):
        return label
    try:
        return label[len(PUNYCODE) :].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _folded(text: str) -> str:
    visible = "".join(sign for sign in text if unicodedata.category(sign) != INVISIBLE)
    folded = unicodedata.normalize("NFKC", visible).upper().casefold()
    folded = folded.translate(DOTLESS).replace(DOT_ABOVE, "i")
    return unicodedata.normalize("NFKC", folded)
