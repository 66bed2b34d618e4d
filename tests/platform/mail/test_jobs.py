"""Mails reach a real mail server, whatever happens to it meanwhile."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword

from journeys.conftest import free_port
from queue_helpers import make_due, rows, run_jobs, states
from smtp_server import SmtpInbox
from videoflix.platform.mail import jobs, outbox, queue_mail
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import queue
from videoflix.setting_types import SmtpServer
from videoflix.settings import read_settings, settings


@pytest.fixture
async def sink(committed: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmtpInbox]:
    """A mail server that is set up, but does not run yet."""
    sink = SmtpInbox(free_port())
    use(monkeypatch, f"smtp://127.0.0.1:{sink.port}")
    async with queue.open_async():
        yield sink


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    chosen = msgspec.structs.replace(
        settings, smtp_url=SmtpServer(url), mail_from="Films <films@example.org>"
    )
    monkeypatch.setattr(jobs, "settings", chosen)
    monkeypatch.setattr(outbox, "settings", chosen)


async def write() -> None:
    async with transaction() as session:
        await queue_mail(
            session,
            to="ada@example.org",
            template="reset-password",
            language="de",
            values={"name": "Ada", "url": "https://films.example/#/reset/secret"},
        )


async def work() -> None:
    await run_jobs(queue_name="default")


async def mail() -> dict[str, Any]:
    [found] = await rows("select text, html, sent_at is not null as sent, failure from mail")
    return found


async def test_mail_arrives_as_text_and_html(sink: SmtpInbox) -> None:
    await write()
    with sink.running():
        await work()
    [message] = sink.got
    assert (message["From"], message["To"]) == ("Films <films@example.org>", "ada@example.org")
    assert message["Subject"] == "Wählen Sie ein neues Passwort"
    assert message["Message-ID"].endswith("@example.org>")
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text
    assert html
    assert "https://films.example/#/reset/secret" in text.get_content()
    assert 'href="https://films.example/#/reset/secret"' in html.get_content()
    assert await mail() == {"text": "", "html": "", "sent": True, "failure": None}


async def test_mail_waits_for_a_server_that_is_down(sink: SmtpInbox) -> None:
    await write()
    await work()
    assert await states() == [("todo", 1)]
    assert not (await mail())["sent"]
    with sink.running():
        await make_due()
        await work()
    assert len(sink.got) == 1
    assert (await mail())["sent"]


async def test_temporary_refusal_is_tried_again(sink: SmtpInbox) -> None:
    await write()
    with sink.running():
        sink.recipient_answer = "451 try later"
        await work()
        assert await states() == [("todo", 1)]
        sink.recipient_answer = ""
        await make_due()
        await work()
    assert len(sink.got) == 1


async def test_permanent_refusal_is_told_and_not_tried_again(sink: SmtpInbox) -> None:
    await write()
    sink.recipient_answer = "550 no such mailbox"
    with sink.running():
        await work()
    assert await states() == [("succeeded", 1)]
    assert (await mail())["failure"] == "550 no such mailbox"


async def test_password_travels_encrypted_only(
    sink: SmtpInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, f"smtp://user:secret@127.0.0.1:{sink.port}")
    await write()
    with sink.running():
        await work()
    assert sink.got == []
    assert await states() == [("todo", 1)]

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(ssl, "create_default_context", lambda *_, **__: trusting)
    seen: list[LoginPassword] = []

    def check(*call: Any) -> AuthResult:
        seen.append(call[4])
        return AuthResult(success=True)

    with sink.running(tls_context=context, authenticator=check, auth_required=True):
        await make_due()
        await work()
    assert [(login.login, login.password) for login in seen] == [(b"user", b"secret")]
    assert len(sink.got) == 1


@pytest.mark.parametrize("url", ["http://mail", "smtp://", "mail.example.org", "smtp://h:x"])
def test_wrong_address_of_the_server_is_named(url: str) -> None:
    with pytest.raises(SystemExit, match=r"SMTP_URL is wrong: (expected smtp|port)"):
        read_settings({"SMTP_URL": url})


def test_ports_follow_the_scheme() -> None:
    for url, port in (
        ("smtp://mail.example.org", 25),
        ("smtp://u:p@mail.example.org", 587),
        ("smtps://u:p@mail.example.org", 465),
        ("smtp://u:p%40@mail.example.org:2525", 2525),
    ):
        assert SmtpServer(url).port == port
    assert SmtpServer("smtp://u:p%40@h").password == "p@"
