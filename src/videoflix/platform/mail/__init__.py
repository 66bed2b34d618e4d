"""E-mail: a transactional outbox, sent by a job.

    await queue_mail(session, to=user.email, template="reset-password", language="de",
                     values={"name": user.name, "url": link})

Without SMTP_URL mails are only stored, to be read by owners.
"""

from videoflix.platform.mail.models import Mail
from videoflix.platform.mail.outbox import MailRequest, queue_mail, queue_mails

__all__ = ["Mail", "MailRequest", "queue_mail", "queue_mails"]
