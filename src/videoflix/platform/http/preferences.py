"""Which content types a client accepts (RFC 9110, 12.5.1)."""


def accepts(header: str, kind: str) -> bool:
    """Whether `Accept` names a content type itself, and not with a weight of 0.

    Wildcards do not count: clients that send only `*/*` may not know the type.
    """
    for entry in header.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        if name == kind:
            weights = [part[2:] for part in parameters if part.startswith("q=")]
            return not weights or weights[0].strip("0.") != ""
    return False
