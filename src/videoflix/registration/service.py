"""Registration, and actions confirmed by opening a mailed link.

The password of a registration belongs to its link: the first registration of an address sends a
link that carries the entered password and names, and the account has neither until the link is
opened. A second registration of the same address discards the first password, because the mails
look alike and their recipient could not tell whose password a link activates. From then on every
link lets its recipient choose a password. This prevents pre-registration account hijacking.
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
    """This link has been used or has expired; request a new one."""

    slug: ClassVar[str] = "link-spent"


class Registration:
    """Call methods with a password before the session holds a connection: they hash it."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.sessions = Sessions(session)
        self.audit = Audit(session)
        self.tokens = MailTokenRepository(session=session)

    async def register(self, new: RegistrationCreate) -> Registered:
        """Store a registration until its link is opened. Raises WeakPassword.

        Takes the same steps whether or not the address is known; only the mail differs.
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
            token_hash=hash_of(new_token()),  # a placeholder until the link is mailed
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
        """Create the account without confirmation, if the address is available."""
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
        """Resend the confirmation link, if the address needs one."""
        await enqueue(self.session, SendActivationMail(email=email))

    async def activate(self, token: str) -> User:
        """Confirm the address and activate the account with the password of this link.

        All other links are revoked. Raises LinkInvalid.
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
        """Return whether this link was already used to activate, as links are opened twice."""
        return await self.tokens.was_spent(Proof.ACTIVATE, hash_of(token))

    async def request_password_reset(self, email: str) -> None:
        """Mail a password reset link, if there is an account with this address."""
        await enqueue(self.session, SendPasswordResetMail(email=email))

    async def reset_password(self, token: str, password: str) -> User:
        """Set a new password and end all sessions. Raises LinkInvalid or WeakPassword."""
        async with transaction() as session:  # do not hash for invalid tokens
            user_id = await MailTokenRepository(session=session).holder_of(
                Proof.RESET_PASSWORD, hash_of(token)
            )
            known = await Accounts(session).users.get_one_or_none(id=user_id) if user_id else None
        if known is None:
            raise LinkInvalid
        ensure_strong(password, known.email)
        password_hash = await hash_secret(password)
        user, _ = await self._spend(Proof.RESET_PASSWORD, token)
        await self.accounts.confirm(user)  # opening the link proves the address
        await self._set_password(user, password_hash)
        await self.audit.record(EventKind.PASSWORD_RESET, user.id)
        return user

    async def may_reset(self, token: str) -> bool:
        """Return whether a password reset link is valid, without using it."""
        return await self.tokens.holder_of(Proof.RESET_PASSWORD, hash_of(token)) is not None

    async def change_password(
        self, user_id: int, current: str, password: str, *, stays: int | None = None
    ) -> None:
        """Set a new password and end all sessions, except the session `stays`.

        Raises WrongPassword or WeakPassword.
        """
        known = await self.accounts.reauthenticate(user_id, current)
        await self._change_password(known, password, stays)

    async def replace_password(
        self, user_id: int, password: str, *, stays: int | None = None
    ) -> None:
        """Set a new password without the current one. Raises WeakPassword."""
        async with transaction() as session:
            known = await Accounts(session).get_active(user_id)
        await self._change_password(known, password, stays)

    async def change_email(self, user_id: int, password: str, email: str) -> None:
        """Mail a confirmation link to a new address, which then replaces the old one.

        Raises WrongPassword.
        """
        await self._ask_for_email(await self.accounts.verify_password(user_id, password), email)

    async def request_email_change(self, user_id: int, email: str) -> None:
        """Mail a confirmation link to a new address, without the current password."""
        await self._ask_for_email(await self.accounts.get_active(user_id), email)

    async def close_account(self, user_id: int, password: str) -> None:
        """Delete an account with all its data. Raises WrongPassword or LastAdmin."""
        known = await self.accounts.reauthenticate(user_id, password)
        await self.accounts.ensure_admin_remains(known)
        user = await self.accounts.lock_unchanged(known)
        await self.sessions.end_all(user.id)
        await self._queue_link_mail(user, "account-closed")
        await self.audit.record(EventKind.CLOSED, user.id, by=user.id)
        await self.accounts.delete(user.id)

    async def confirm_email(self, token: str) -> None:
        """Replace the address by the confirmed new one. Raises LinkInvalid."""
        user, link = await self._spend(Proof.CHANGE_EMAIL, token)
        old = user.email
        try:
            await self.accounts.set_email(user, link.email)
        except EmailTaken as error:
            raise LinkInvalid from error  # do not reveal that the address is taken
        await self.tokens.void(user.id)
        await self.audit.record(EventKind.EMAIL_CHANGED, user.id)
        await self._queue_link_mail(user, "address-changed", to=old)

    async def require_new_link(self, user: User) -> None:
        """Revoke an account's registrations and mail a link to choose a password instead.

        For accounts that staff confirmed or gave a role without knowing who had registered them.
        """
        await self.tokens.void(user.id)
        await self.invite(user)

    async def revoke_links(self, user_id: int) -> None:
        """Revoke all links mailed to a user."""
        await self.tokens.void(user_id)

    async def send_activation_mail(self, email: str, link_id: int = 0) -> None:
        """Mail the link of a registration; without `link_id`, resend it."""
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
        """Mail a password reset link."""
        user = await self.accounts.by_email(email)
        user = await self.accounts.users.locked(user.id) if user else None
        if user is None or not user.is_active or user.is_guest:
            return
        await self.audit.record(EventKind.RESET_ASKED, user.id)
        await self._queue_reset_mail(user, "reset-password", settings.password_reset_lifetime)

    async def send_email_change_mail(self, request: SendEmailChangeMail) -> None:
        """Mail a confirmation link to a new address, unless the request is outdated."""
        user = await self.accounts.users.locked(request.user_id)
        if user is None or not user.is_active or user.auth_version != request.auth_version:
            return
        owner = await self.accounts.by_email(request.email)
        if owner is not None and (owner.id == user.id or owner.confirmed_at is not None):
            return
        lifetime = settings.activation_lifetime
        token = await self._issue(user, Proof.CHANGE_EMAIL, request.email, lifetime)
        url = link(settings.email_confirm_link, user, token)
        await self._queue_link_mail(user, "confirm-new-address", to=request.email, url=url)

    async def invite(self, user: User) -> None:
        """Mail an invitation to choose a password, valid for the activation lifetime."""
        await self._queue_reset_mail(user, "invitation", settings.activation_lifetime)

    async def _mail_link_of(self, pending: MailToken, user: User) -> None:
        """Mail the link of a registration and invalidate its previous link.

        Without a password, the link lets its recipient choose one. Links of other registrations
        stay valid: they cannot be revoked by registering again.
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
        """Queue a mail to the stored address, not to one entered in a request."""
        await queue_mail(
            self.session,
            to=to or user.email,
            template=template,
            language=user.language,
            values={"name": user.name, "url": url, "hours": hours(lifetime)},
        )

    async def _issue(self, user: User, proof: Proof, email: str, lifetime: timedelta) -> str:
        """Issue a token and revoke the previous one of the same purpose."""
        token = new_token()
        await self.tokens.issue(user.id, proof, hash_of(token), email, lifetime)
        return token

    async def _spend(self, proof: Proof, token: str) -> tuple[User, MailToken]:
        """Lock the account and use the token. Raises LinkInvalid."""
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
        request = SendEmailChangeMail(user_id=user.id, email=email, auth_version=user.auth_version)
        await enqueue(self.session, request)

    async def _change_password(self, known: User, password: str, stays: int | None) -> None:
        ensure_strong(password, known.email)
        password_hash = await hash_secret(password)
        user = await self.accounts.lock_unchanged(known)
        await self._set_password(user, password_hash, stays)
        await self.audit.record(EventKind.PASSWORD_CHANGED, user.id, by=user.id)

    async def _set_password(self, user: User, password_hash: str, stays: int | None = None) -> None:
        self.accounts.set_password(user, password_hash)
        await self.tokens.void(user.id)
        await self.sessions.end_all(user.id, but=stays)
        await self._queue_link_mail(user, "password-changed", url=f"{settings.site_url}/")


@register_pending_password_check
async def newest_pending_hash(session: AsyncSession, user_id: int) -> str | None:
    """Return the password hash of the latest pending registration of an account."""
    pending = await MailTokenRepository(session=session).pending_of(user_id)
    return pending[0].password_hash if pending else None
