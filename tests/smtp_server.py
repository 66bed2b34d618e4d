"""A real SMTP server that keeps what it is given."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class SmtpInbox:
    """`recipient_answer` overrides what the server says to a recipient."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[EmailMessage] = []
        self.recipient_answer = ""

    async def handle_RCPT(self, *call: Any) -> str:  # noqa: N802 - aiosmtpd's name
        envelope, address = call[2], call[3]
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *call: Any) -> str:  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(call[2].content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        return "250 OK"

    @contextmanager
    def running(self, **options: Any) -> Iterator[None]:
        controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        controller.start()
        try:
            yield
        finally:
            controller.stop()

    def newest(self, subject: str, seconds: float = 30, *, to: str = "") -> str:
        """The text of the newest mail with this subject (to this address), waiting for it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in reversed(self.got):
                body = message.get_body(("plain",))
                if message["Subject"] == subject and body and to in message["To"]:
                    text: str = body.get_content()
                    return text
            time.sleep(0.1)
        raise TimeoutError(f"no mail “{subject}”, only {[m['Subject'] for m in self.got]}")
