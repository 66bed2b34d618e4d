"""E-mail addresses: normalization for storage, and the key that identifies an account.

Accounts are looked up by `email_key` only. It applies Unicode case folding and NFKC (so that `ß`
equals `ss`, and a final sigma a sigma), removes invisible characters, and maps Unicode and punycode
domains to the same form (UTS 46). Mail is sent to the address as entered, never to the key.
"""

import unicodedata

import idna

DOTLESS = str.maketrans({"ı": "i"})
DOT_ABOVE = "i\u0307"  # the lower case of İ
PUNYCODE = "xn--"
INVISIBLE = "Cf"  # Unicode category of soft hyphens, joiners and direction marks


def normalized(email: str) -> str:
    """Normalize an address for storage and delivery (NFKC)."""
    return unicodedata.normalize("NFKC", email).strip().rstrip(".")


def email_key(email: str) -> str:
    """Return the lookup key, equal for all spellings of an account's address."""
    local, at, domain = normalized(email).rpartition("@")
    return f"{_folded(local)}{at}{_folded_domain(domain)}"


def _folded_domain(domain: str) -> str:
    mapped = _mapped(domain)
    labels = [_folded(_mapped(_decoded(label))) for label in mapped.rstrip(".").split(".")]
    return ".".join(labels)


def _mapped(domain: str) -> str:
    """Apply the UTS 46 mapping to full stops, character widths and invisible characters."""
    try:
        return idna.uts46_remap(domain, std3_rules=False)
    except idna.IDNAError:
        return domain


def _decoded(label: str) -> str:
    """Decode a punycode label; return any other label unchanged."""
    if not label.lower().startswith(PUNYCODE):
        return label
    try:
        return label[len(PUNYCODE) :].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _folded(text: str) -> str:
    visible = "".join(char for char in text if unicodedata.category(char) != INVISIBLE)
    folded = unicodedata.normalize("NFKC", visible).upper().casefold()
    folded = folded.translate(DOTLESS).replace(DOT_ABOVE, "i")
    return unicodedata.normalize("NFKC", folded)
