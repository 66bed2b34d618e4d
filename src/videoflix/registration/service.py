"""Registering, and what people prove by opening a mailed link."""

import hashlib
import math
import secrets
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, EmailTaken
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.mail import post_mail
from videoflix.platform.problems import BadInput
from videoflix.platform.queue import enqueue
from videoflix.registration.models import Proof
from videoflix.registration.repository import MailTokenRepository
from videoflix.registration.schemas import (
    NewAccount,
    WriteReset,
    WriteToNewAddress,
    WriteToRegistrant,
)
from videoflix.sessions.service.sign_ins import Sessions
from videoflix.settings import settings


class LinkSpent(BadInput):
    """This link was used before or is too old; ask for a new one."""


class Registration:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.sessions = Sessions(session)
        self.audit = Audit(session)
        self.tokens = MailTokenRepository(session=session)

    async def register(self, new: NewAccount) -> User | None:
        """Enter a person who has yet to confirm the address; None when the address is known.

        Takes the same steps whether or not it is; what differs is the mail.
        """
        user = await self.accounts.enter(
            email=new.email,
            password=new.password,
            first_name=new.first_name,
            last_name=new.last_name,
            language=new.language,
            confirmed=not settings.activation_required,
        )
        await self.audit.record(EventKind.REGISTERED, user.id if user else None)
        await enqueue(self.session, WriteToRegistrant(email=new.email))
        return user

    async def register_again(self, new: NewAccount) -> User | None:
        """Who has yet to confirm the address may change what they said; None for anybody else."""
        user = await self.accounts.by_email(new.email)
        if user is None or user.confirmed_at is not None or not user.is_active:
            return None
        await self.accounts.set_password(user, new.password)
        user.first_name, user.last_name = new.first_name, new.last_name
        return user

    async def resend(self, email: str) -> None:
        """Mail the confirmation again, to whoever needs it."""
        await enqueue(self.session, WriteToRegistrant(email=email))

    async def activate(self, token: str) -> User:
        """The address is confirmed: its person may sign in. Raises LinkSpent."""
        user, _ = await self._spend(Proof.ACTIVATE, token)
        await self.accounts.confirm(user)
        await self.audit.record(EventKind.CONFIRMED, user.id)
        return user

    async def has_activated(self, token: str) -> bool:
        """Whether this link confirmed its address before: people open links twice."""
        return await self.tokens.was_spent(Proof.ACTIVATE, _hash(token))

    async def forgot(self, email: str) -> None:
        """Mail a link to choose a new password, if anybody has this address."""
        await enqueue(self.session, WriteReset(email=email))

    async def reset(self, token: str, password: str) -> User:
        """Choose a new password; every sign-in of before ends. Raises LinkSpent."""
        user, _ = await self._spend(Proof.RESET_PASSWORD, token)
        await self.accounts.confirm(user)  # whoever reads the mail has the address
        await self._set_password(user, password)
        await self.audit.record(EventKind.PASSWORD_RESET, user.id)
        return user

    async def may_reset(self, token: str) -> bool:
        """Whether a link to choose a new password still works; it goes on working."""
        return await self.tokens.works(Proof.RESET_PASSWORD, _hash(token))

    async def change_password(self, user_id: int, current: str, password: str) -> None:
        """Choose a new password; every sign-in ends. Raises PasswordWrong."""
        await self._change_password(await self.accounts.proven(user_id, current), password)

    async def replace_password(self, user_id: int, password: str) -> None:
        """The same for older clients, which take being signed in for proof. Raises PasswordWeak."""
        await self._change_password(await self.accounts.person(user_id), password)

    async def change_email(self, user_id: int, password: str, email: str) -> None:
        """Mail a link to the new address; until it is opened the old one stays.

        Raises PasswordWrong.
        """
        await self.ask_for_email((await self.accounts.proven(user_id, password)).id, email)

    async def ask_for_email(self, user_id: int, email: str) -> None:
        """The same for older clients, which take being signed in for proof."""
        await self.audit.record(EventKind.EMAIL_ASKED, user_id, by=user_id)
        await enqueue(self.session, WriteToNewAddress(user_id=user_id, email=email))

    async def close_account(self, user_id: int, password: str) -> None:
        """Forget a person, their sign-ins and all they own. Raises PasswordWrong or LastAdmin."""
        user = await self.accounts.proven(user_id, password)
        await self.accounts.keep_an_admin(user)
        await self.sessions.end_all(user.id)
        await self._write(user, "account-closed")
        await self.audit.record(EventKind.CLOSED, user.id, by=user.id)
        await self.accounts.close(user.id)

    async def confirm_email(self, token: str) -> None:
        """The new address is proven and takes the old one's place. Raises LinkSpent."""
        user, email = await self._spend(Proof.CHANGE_EMAIL, token)
        old = user.email
        try:
            await self.accounts.set_email(user, email)
        except EmailTaken as error:
            raise LinkSpent from error  # who has it is nobody's business
        await self.tokens.void(user.id)
        await self.audit.record(EventKind.EMAIL_CHANGED, user.id)
        await self._write(user, "address-changed", to=old)

    async def write_to_registrant(self, email: str) -> None:
        """Mail what a registration leads to."""
        user = await self.accounts.by_email(email)
        if user is None or not user.is_active:
            return
        if user.confirmed_at is not None:
            if settings.activation_required:
                await self._write(user, "already-registered", url=f"{settings.site_url}/")
            return
        lifetime = settings.activation_lifetime
        token = await self._issue(user, Proof.ACTIVATE, user.email, lifetime)
        url = link(settings.activation_link, user, token)
        await self._write(user, "confirm-address", url=url, lifetime=lifetime)

    async def write_reset(self, email: str) -> None:
        """Mail a link to choose a new password."""
        user = await self.accounts.by_email(email)
        if user is None or not user.is_active or user.is_guest:
            return
        await self.audit.record(EventKind.RESET_ASKED, user.id)
        await self._write_reset(user, "reset-password", settings.password_reset_lifetime)

    async def write_to_new_address(self, user_id: int, email: str) -> None:
        """Mail a link that proves the new address."""
        user = await self.accounts.person(user_id)
        if await self.accounts.by_email(email):
            return
        token = await self._issue(user, Proof.CHANGE_EMAIL, email, settings.activation_lifetime)
        url = link(settings.email_confirm_link, user, token)
        await self._write(user, "confirm-new-address", to=email, url=url)

    async def invite(self, user: User) -> None:
        """Mail a link to choose the first password; it works as long as one to confirm."""
        await self._write_reset(user, "invitation", settings.activation_lifetime)

    async def _write_reset(self, user: User, letter: str, lifetime: timedelta) -> None:
        token = await self._issue(user, Proof.RESET_PASSWORD, user.email, lifetime)
        url = link(settings.password_reset_link, user, token)
        await self._write(user, letter, url=url, lifetime=lifetime)

    async def _write(
        self,
        user: User,
        letter: str,
        *,
        to: str = "",
        url: str = "",
        lifetime: timedelta = timedelta(),
    ) -> None:
        await post_mail(
            self.session,
            to=to or user.email,
            letter=letter,
            language=user.language,
            values={
                "name": user.name,
                "url": url,
                "hours": str(math.ceil(lifetime / timedelta(hours=1))),
            },
        )

    async def _issue(self, user: User, proof: Proof, email: str, lifetime: timedelta) -> str:
        """A token nobody can guess (256 bits); the one mailed before is void."""
        token = secrets.token_urlsafe(32)
        await self.tokens.issue(user.id, proof, _hash(token), email, lifetime)
        return token

    async def _spend(self, proof: Proof, token: str) -> tuple[User, str]:
        spent = await self.tokens.spend(proof, _hash(token))
        user = await self.accounts.users.get_one_or_none(id=spent[0]) if spent else None
        if spent is None or user is None or not user.is_active:
            raise LinkSpent
        return user, spent[1]

    async def _change_password(self, user: User, password: str) -> None:
        await self._set_password(user, password)
        await self.audit.record(EventKind.PASSWORD_CHANGED, user.id, by=user.id)

    async def _set_password(self, user: User, password: str) -> None:
        await self.accounts.set_password(user, password)
        await self.tokens.void(user.id)
        await self.sessions.end_all(user.id)
        await self._write(user, "password-changed", url=f"{settings.site_url}/")


def link(template: str, user: User, token: str) -> str:
    """A mailed link: `{uid}` and `{token}` of the operator's template filled in.

    Never made from a request, whose Host header anybody may choose.
    """
    return template.replace("{uid}", str(user.id)).replace("{token}", token)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
