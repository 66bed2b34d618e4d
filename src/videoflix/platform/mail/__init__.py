"""Mail: written in the transaction that causes it, sent by a job.

    await post_mail(session, to=user.email, letter="reset-password", language="de",
                    values={"name": user.name, "url": link})

Without SMTP_URL mails are only kept, to be read on the server itself.
"""

from videoflix.platform.mail.models import Mail
from videoflix.platform.mail.outbox import MailRequest, queue_mail, queue_mails

__all__ = ["Mail", "MailRequest", "queue_mail", "queue_mails"]
