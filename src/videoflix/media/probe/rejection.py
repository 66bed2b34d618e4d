"""The one word for a file that will never become a film."""


class SourceRejected(Exception):
    """Hopeless input: a stable code in kebab case, and a sentence its uploader can act on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
