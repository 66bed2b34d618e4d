"""The exception for files that cannot be played."""


class SourceRejected(Exception):
    """A permanent rejection: a stable code in kebab case, and a sentence for the uploader."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
