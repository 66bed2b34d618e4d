"""Registering, and what people prove by opening a mailed link.

A password belongs to the link that is opened. Whoever registers an address first gets a link
mailed to it that carries the password and the names they typed; the account itself has neither
until the link is opened. A second registration of the same address voids what was typed into the
first: the mails look alike, and their reader could not tell whose password a link activates. From
then on every link lets its reader choose a password. So it does no harm to register somebody
else's address, before them or after.
"""

from datetime import timedelta
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.problems import EmailTaken
from videoflix.accounts.service import (
    Accounts,
    ensure_strong,
    hash_secret,
    register_pending_password_check,
)
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.mail import queue_mail
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import BadRequest
from videoflix.platform.queue import enqueue
from videoflix.registration.links import hash_of, hours, link, new_token
from videoflix.registration.models import MailToken, Proof
from videoflix.registration.repository import MailTokenRepository
from videoflix.registration.schemas import (
    Registered,
    RegistrationCreate,
    SendActivationMail,
    SendEmailChangeMail,
    SendPasswordResetMail,
)
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings


class LinkInvalid(BadRequest):
    """This link was used before or is too old; ask for a new one."""

    slug: ClassVar[str] = "link-spent"


class Registration:
    """Call what takes a password before the session holds a connection: it is hashed first."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.sessions = Sessions(session)
        self.audit = Audit(session)
        self.tokens = MailTokenRepository(session=session)

    async def register(self, new: RegistrationCreate) -> Registered:
        """Keep what somebody typed until the link they get is opened. Raises WeakPassword.

        Takes the same steps whether or not the address is known; what differs is the mail.
        """
        ensure_strong(new.password, new.email)
        password_hash = await hash_secret(new.password)
        if not settings.activation_required:
            return await self._register_at_once(new, password_hash)
        number, user = await self.accounts.create_unconfirmed(new.email)
        is_first = user.id == number
        link = MailToken(
            user_id=user.id,
            proof=Proof.ACTIVATE,
            token_hash=hash_of(new_token()),  # nobody's, until the link is mailed
            email=user.email,
            password_hash=password_hash if is_first else None,
            first_name=new.first_name,
            last_name=new.last_name,
            language=new.language,
        )
        link_id = await self.tokens.ask(link, settings.activation_lifetime)
        await self.tokens.forget_passwords(user.id, but=link_id)
        is_known = user.confirmed_at is not None
        await self.audit.record(EventKind.REGISTERED, None if is_known else user.id)
        await enqueue(self.session, SendActivationMail(email=new.email, link_id=link_id))
        return Registered(number, new.email, new.first_name, new.last_name, is_known)

    async def _register_at_once(self, new: RegistrationCreate, password_hash: str) -> Registered:
        """Without a confirmation who comes first has the address."""
        is_known, number = False, await self.accounts.users.next_id()
        try:
            user = await self.accounts.create(
                email=new.email,
                password_hash=password_hash,
                first_name=new.first_name,
                last_name=new.last_name,
                language=new.language,
            )
            number = user.id
        except EmailTaken:
            is_known = True
        await self.audit.record(EventKind.REGISTERED, None if is_known else number)
        await enqueue(self.session, SendActivationMail(email=new.email))
        return Registered(number, new.email, new.first_name, new.last_name, is_known)

    async def resend(self, email: str) -> None:
        """Mail the confirmation again, to whoever needs it."""
        await enqueue(self.session, SendActivationMail(email=email))

    async def activate(self, token: str) -> User:
        """The address is confirmed: its person may sign in with the password of this link.

        All other links become void. Raises LinkInvalid.
        """
        user, link = await self._spend(Proof.ACTIVATE, token)
        if user.confirmed_at is not None or link.password_hash is None:
            raise LinkInvalid
        await self.tokens.void(user.id, but=link.id)
        self.accounts.set_password(user, link.password_hash)
        user.first_name, user.last_name = link.first_name, link.last_name
        user.language = link.language
        link.password_hash = None
        await self.accounts.confirm(user)
        await self.audit.record(EventKind.CONFIRMED, user.id)
        return user

    async def has_activated(self, token: str) -> bool:
        """Whether this link confirmed its address before: people open links twice."""
        return await self.tokens.was_spent(Proof.ACTIVATE, hash_of(token))

    async def request_password_reset(self, email: str) -> None:
        """Mail a link to choose a new password, if anybody has this address."""
        await enqueue(self.session, SendPasswordResetMail(email=email))

    async def reset_password(self, token: str, password: str) -> User:
        """Choose a new password; every sign-in of before ends. Raises LinkInvalid, WeakPassword."""
        async with transaction() as session:  # nothing is hashed for an invented token
            user_id = await MailTokenRepository(session=session).holder_of(
                Proof.RESET_PASSWORD, hash_of(token)
            )
            known = await Accounts(session).users.get_one_or_none(id=user_id) if user_id else None
        if known is None:
            raise LinkInvalid
        ensure_strong(password, known.email)
        password_hash = await hash_secret(password)
        user, _ = await self._spend(Proof.RESET_PASSWORD, token)
        await self.accounts.confirm(user)  # whoever reads the mail has the address
        await self._set_password(user, password_hash)
        await self.audit.record(EventKind.PASSWORD_RESET, user.id)
        return user

    async def may_reset(self, token: str) -> bool:
        """Whether a link to choose a new password still works; it goes on working."""
        return await self.tokens.holder_of(Proof.RESET_PASSWORD, hash_of(token)) is not None

    async def change_password(self, user_id: int, current: str, password: str) -> None:
        """Choose a new password; every sign-in ends. Raises WrongPassword, WeakPassword."""
        await self._change_password(await self.accounts.reauthenticate(user_id, current), password)

    async def replace_password(self, user_id: int, password: str) -> None:
        """The same where being signed in is taken for proof. Raises WeakPassword."""
        async with transaction() as session:
            known = await Accounts(session).get_active(user_id)
        await self._change_password(known, password)

    async def change_email(self, user_id: int, password: str, email: str) -> None:
        """Mail a link to the new address; until it is opened the old one stays.

        Raises WrongPassword.
        """
        await self._ask_for_email(await self.accounts.verify_password(user_id, password), email)

    async def request_email_change(self, user_id: int, email: str) -> None:
        """The same where being signed in is taken for proof."""
        await self._ask_for_email(await self.accounts.get_active(user_id), email)

    async def close_account(self, user_id: int, password: str) -> None:
        """Forget a person, their sign-ins and all they own. Raises WrongPassword or LastAdmin."""
        known = await self.accounts.reauthenticate(user_id, password)
        await self.accounts.ensure_admin_remains(known)
        user = await self.accounts.lock_unchanged(known)
        await self.sessions.end_all(user.id)
        await self._queue_link_mail(user, "account-closed")
        await self.audit.record(EventKind.CLOSED, user.id, by=user.id)
        await self.accounts.delete(user.id)

    async def confirm_email(self, token: str) -> None:
        """The new address is proven and takes the old one's place. Raises LinkInvalid."""
        user, link = await self._spend(Proof.CHANGE_EMAIL, token)
        old = user.email
        try:
            await self.accounts.set_email(user, link.email)
        except EmailTaken as error:
            raise LinkInvalid from error  # who has it is nobody's business
        await self.tokens.void(user.id)
        await self.audit.record(EventKind.EMAIL_CHANGED, user.id)
        await self._queue_link_mail(user, "address-changed", to=old)

    async def require_new_link(self, user: User) -> None:
        """Void what was registered for an account and mail a link to choose a password instead:
        staff gave it a role, or confirmed it, without knowing who registered.
        """
        await self.tokens.void(user.id)
        await self.invite(user)

    async def revoke_links(self, user_id: int) -> None:
        """Make every link that was mailed to a person worthless."""
        await self.tokens.void(user_id)

    async def send_activation_mail(self, email: str, link_id: int = 0) -> None:
        """Mail what a registration leads to; with no `link_id` the mail is asked for again."""
        user = await self.accounts.by_email(email)
        user = await self.accounts.users.locked(user.id) if user else None
        if user is None or not user.is_active or user.confirmed_at is not None:
            await self.tokens.drop(link_id)
            if user and user.is_active and not user.is_guest and settings.activation_required:
                await self._queue_link_mail(user, "already-registered", url=f"{settings.site_url}/")
            return
        pending = await self.tokens.pending_of(user.id)
        if link_id:
            pending = [link for link in pending if link.id == link_id]
        pending = [link for link in pending if link_id or link.password_hash is not None]
        if len(pending) == 1:
            await self._mail_link_of(pending[0], user)
        elif not link_id:
            await self._queue_reset_mail(user, "choose-password", settings.activation_lifetime)

    async def send_password_reset_mail(self, email: str) -> None:
        """Mail a link to choose a new password."""
        user = await self.accounts.by_email(email)
        user = await self.accounts.users.locked(user.id) if user else None
        if user is None or not user.is_active or user.is_guest:
            return
        await self.audit.record(EventKind.RESET_ASKED, user.id)
        await self._queue_reset_mail(user, "reset-password", settings.password_reset_lifetime)

    async def send_email_change_mail(self, wish: SendEmailChangeMail) -> None:
        """Mail a link that proves the new address, unless the wish was overtaken."""
        user = await self.accounts.users.locked(wish.user_id)
        if user is None or not user.is_active or user.auth_version != wish.auth_version:
            return
        owner = await self.accounts.by_email(wish.email)
        if owner is not None and (owner.id == user.id or owner.confirmed_at is not None):
            return
        lifetime = settings.activation_lifetime
        token = await self._issue(user, Proof.CHANGE_EMAIL, wish.email, lifetime)
        url = link(settings.email_confirm_link, user, token)
        await self._queue_link_mail(user, "confirm-new-address", to=wish.email, url=url)

    async def invite(self, user: User) -> None:
        """Mail a link to choose the first password; it works as long as one to confirm."""
        await self._queue_reset_mail(user, "invitation", settings.activation_lifetime)

    async def _mail_link_of(self, pending: MailToken, user: User) -> None:
        """Mail the link of a registration; one that was mailed for it before stops working.

        Without a password it lets choose one. Links that other registrations caused keep working:
        nobody can void them by registering again.
        """
        template, link_template = "confirm-address", settings.activation_link
        if pending.password_hash is None:
            template, link_template = "choose-password", settings.password_reset_link
            pending.proof = Proof.RESET_PASSWORD
        token, lifetime = new_token(), settings.activation_lifetime
        await self.tokens.renew(pending, hash_of(token), lifetime)
        await queue_mail(
            self.session,
            to=user.email,
            template=template,
            language=pending.language,
            values={
                "name": f"{pending.first_name} {pending.last_name}".strip(),
                "url": link(link_template, user, token),
                "hours": hours(lifetime),
            },
        )

    async def _queue_reset_mail(self, user: User, template: str, lifetime: timedelta) -> None:
        token = await self._issue(user, Proof.RESET_PASSWORD, user.email, lifetime)
        url = link(settings.password_reset_link, user, token)
        await self._queue_link_mail(user, template, url=url, lifetime=lifetime)

    async def _queue_link_mail(
        self,
        user: User,
        template: str,
        *,
        to: str = "",
        url: str = "",
        lifetime: timedelta = timedelta(),
    ) -> None:
        """Mail somebody, at the address that is stored and not as it was typed somewhere."""
        await queue_mail(
            self.session,
            to=to or user.email,
            template=template,
            language=user.language,
            values={"name": user.name, "url": url, "hours": hours(lifetime)},
        )

    async def _issue(self, user: User, proof: Proof, email: str, lifetime: timedelta) -> str:
        """A new token; the one mailed before is void."""
        token = new_token()
        await self.tokens.issue(user.id, proof, hash_of(token), email, lifetime)
        return token

    async def _spend(self, proof: Proof, token: str) -> tuple[User, MailToken]:
        """Lock the person and use the token up. Raises LinkInvalid."""
        user_id = await self.tokens.holder_of(proof, hash_of(token))
        user = await self.accounts.users.locked(user_id) if user_id else None
        if user is None or not user.is_active:
            raise LinkInvalid
        spent = await self.tokens.spend(proof, hash_of(token))
        if spent is None:
            raise LinkInvalid
        return user, spent

    async def _ask_for_email(self, user: User, email: str) -> None:
        await self.audit.record(EventKind.EMAIL_ASKED, user.id, by=user.id)
        wish = SendEmailChangeMail(user_id=user.id, email=email, auth_version=user.auth_version)
        await enqueue(self.session, wish)

    async def _change_password(self, known: User, password: str) -> None:
        ensure_strong(password, known.email)
        password_hash = await hash_secret(password)
        user = await self.accounts.lock_unchanged(known)
        await self._set_password(user, password_hash)
        await self.audit.record(EventKind.PASSWORD_CHANGED, user.id, by=user.id)

    async def _set_password(self, user: User, password_hash: str) -> None:
        self.accounts.set_password(user, password_hash)
        await self.tokens.void(user.id)
        await self.sessions.end_all(user.id)
        await self._queue_link_mail(user, "password-changed", url=f"{settings.site_url}/")


@register_pending_password_check
async def newest_pending_hash(session: AsyncSession, user_id: int) -> str | None:
    """The password of the latest registration for an account that is not confirmed yet."""
    pending = await MailTokenRepository(session=session).pending_of(user_id)
    return pending[0].password_hash if pending else None
