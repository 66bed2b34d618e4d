"""Registering, and what people prove by opening a mailed link."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, EmailTaken
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
from videoflix.sessions.service import Sessions
from videoflix.settings import settings

ACTIVATION_LIFETIME = timedelta(days=3)
RESET_LIFETIME = timedelta(hours=1)


class LinkSpent(BadInput):
    """This link was used before or is too old; ask for a new one."""


class PasswordWrong(BadInput):
    """This is not your password."""


class Registration:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.sessions = Sessions(session)
        self.tokens = MailTokenRepository(session=session)

    async def register(self, new: NewAccount) -> None:
        """Enter a person who has yet to confirm the address.

        Takes the same steps whether or not the address is known; what differs is the mail.
        """
        await self.accounts.enter(
            email=new.email,
            password=new.password,
            name=new.name,
            language=new.language,
            confirmed=not settings.activation_required,
        )
        await enqueue(self.session, WriteToRegistrant(email=new.email))

    async def resend(self, email: str) -> None:
        """Mail the confirmation again, to whoever needs it."""
        await enqueue(self.session, WriteToRegistrant(email=email))

    async def activate(self, token: str) -> None:
        """The address is confirmed: its person may sign in. Raises LinkSpent."""
        user, _ = await self._spend(Proof.ACTIVATE, token)
        await self.accounts.confirm(user)

    async def forgot(self, email: str) -> None:
        """Mail a link to choose a new password, if anybody has this address."""
        await enqueue(self.session, WriteReset(email=email))

    async def reset(self, token: str, password: str) -> None:
        """Choose a new password; every sign-in of before ends. Raises LinkSpent."""
        user, _ = await self._spend(Proof.RESET_PASSWORD, token)
        await self.accounts.confirm(user)  # whoever reads the mail has the address
        await self._set_password(user, password)

    async def change_password(self, user_id: int, current: str, password: str) -> None:
        """Choose a new password; every sign-in ends. Raises PasswordWrong."""
        user = await self._proven(user_id, current)
        await self._set_password(user, password)

    async def change_email(self, user_id: int, password: str, email: str) -> None:
        """Mail a link to the new address; until it is opened the old one stays.

        Raises PasswordWrong.
        """
        user = await self._proven(user_id, password)
        await enqueue(self.session, WriteToNewAddress(user_id=user.id, email=email))

    async def confirm_email(self, token: str) -> None:
        """The new address is proven and takes the old one's place. Raises LinkSpent."""
        user, email = await self._spend(Proof.CHANGE_EMAIL, token)
        old = user.email
        try:
            await self.accounts.set_email(user, email)
        except EmailTaken as error:
            raise LinkSpent from error  # who has it is nobody's business
        await self.tokens.void(user.id)
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
        token = await self._issue(user, Proof.ACTIVATE, user.email, ACTIVATION_LIFETIME)
        await self._write(user, "confirm-address", url=link(settings.activation_link, user, token))

    async def write_reset(self, email: str) -> None:
        """Mail a link to choose a new password."""
        user = await self.accounts.by_email(email)
        if user is None or not user.is_active:
            return
        token = await self._issue(user, Proof.RESET_PASSWORD, user.email, RESET_LIFETIME)
        await self._write(
            user, "reset-password", url=link(settings.password_reset_link, user, token)
        )

    async def write_to_new_address(self, user_id: int, email: str) -> None:
        """Mail a link that proves the new address."""
        user = await self.accounts.person(user_id)
        if await self.accounts.by_email(email):
            return
        token = await self._issue(user, Proof.CHANGE_EMAIL, email, ACTIVATION_LIFETIME)
        url = link(settings.email_confirm_link, user, token)
        await self._write(user, "confirm-new-address", to=email, url=url)

    async def _write(self, user: User, letter: str, *, to: str = "", url: str = "") -> None:
        await post_mail(
            self.session,
            to=to or user.email,
            letter=letter,
            language=user.language,
            values={"name": user.name, "url": url},
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

    async def _proven(self, user_id: int, password: str) -> User:
        user = await self.accounts.person(user_id)
        if not await self.accounts.knows_password(user, password):
            raise PasswordWrong
        return user

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
