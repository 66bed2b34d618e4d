"""HTTP API of registration and mailed links, without revealing which addresses are known."""

from typing import Any

from litestar import Controller, Request, delete, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from videoflix.accounts.problems import LastAdmin, WeakPassword, WrongPassword
from videoflix.accounts.service import account_key
from videoflix.platform.auth.identity import CurrentUser, ScopeTooNarrow, interactive_only
from videoflix.platform.http.params import service
from videoflix.platform.problems import Unauthorized, problems
from videoflix.platform.rate_limit.bucket import AttemptLimit, TooManyAttempts
from videoflix.platform.server.client_address import client_address
from videoflix.registration.schemas import (
    Accepted,
    AccountDeletion,
    Address,
    EmailChange,
    MailedToken,
    PasswordChange,
    PasswordReset,
    RegistrationCreate,
)
from videoflix.registration.service import LinkInvalid, Registration

# Limits on requests that send mail: per client address, and per mailbox.
MAIL_REQUESTS = AttemptLimit("ask-for-mail", burst=10, seconds=60)
MAILBOX = AttemptLimit("mailbox", burst=4, seconds=600)


class RegistrationController(Controller):
    path = "/auth"
    tags = ("Accounts",)
    dependencies = {"registration": service(Registration)}

    @post(
        "/register",
        summary="Register",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(WeakPassword, TooManyAttempts),
    )
    async def register(
        self,
        request: Request[Any, Any, Any],
        registration: NamedDependency[Registration],
        data: JSONBody[RegistrationCreate],
    ) -> Accepted:
        """Register an account; the mailed link activates it with the password of this request.

        If there is an unconfirmed registration of the address already, the passwords of both are
        discarded, and the mailed links let their recipient choose one.
        """
        await limit_mail(request, data.email)
        await registration.register(data)
        return Accepted("Check your inbox: we have sent you a link to confirm your address.")

    @post(
        "/activate",
        summary="Confirm an address",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(LinkInvalid),
    )
    async def activate(
        self, registration: NamedDependency[Registration], data: JSONBody[MailedToken]
    ) -> None:
        """Confirm the address with the mailed token, which activates the account."""
        await registration.activate(data.token)

    @post(
        "/activate/resend",
        summary="Resend the confirmation e-mail",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(TooManyAttempts),
    )
    async def resend(
        self,
        request: Request[Any, Any, Any],
        registration: NamedDependency[Registration],
        data: JSONBody[Address],
    ) -> Accepted:
        """Send a new confirmation link; the previous one becomes invalid."""
        await limit_mail(request, data.email)
        await registration.resend(data.email)
        return Accepted("If this address needs to be confirmed, we have sent a new link to it.")

    @post(
        "/password/forgot",
        summary="Request a password reset",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(TooManyAttempts),
    )
    async def forgot_password(
        self,
        request: Request[Any, Any, Any],
        registration: NamedDependency[Registration],
        data: JSONBody[Address],
    ) -> Accepted:
        """Send a link to choose a new password."""
        await limit_mail(request, data.email)
        await registration.request_password_reset(data.email)
        return Accepted("If there is an account with this address, we have sent a link to it.")

    @post(
        "/password/reset",
        summary="Reset the password",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(LinkInvalid, WeakPassword),
    )
    async def reset_password(
        self, registration: NamedDependency[Registration], data: JSONBody[PasswordReset]
    ) -> None:
        """Set a new password with the mailed token; you are signed out everywhere."""
        await registration.reset_password(data.token, data.password)

    @post(
        "/password/change",
        summary="Change the password",
        guards=[interactive_only],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(
            Unauthorized, ScopeTooNarrow, WrongPassword, WeakPassword, TooManyAttempts
        ),
    )
    async def change_password(
        self,
        user: CurrentUser,
        registration: NamedDependency[Registration],
        data: JSONBody[PasswordChange],
    ) -> None:
        """Change your password; you are signed out everywhere."""
        await registration.change_password(user.user_id, data.current, data.password)

    @post(
        "/email/change",
        summary="Change the e-mail address",
        guards=[interactive_only],
        status_code=HTTP_202_ACCEPTED,
        responses=problems(Unauthorized, ScopeTooNarrow, WrongPassword, TooManyAttempts),
    )
    async def change_email(
        self,
        request: Request[Any, Any, Any],
        registration: NamedDependency[Registration],
        data: JSONBody[EmailChange],
    ) -> Accepted:
        """Request a change of address; it takes effect when the mailed link is opened."""
        await limit_mail(request, data.email)
        await registration.change_email(request.user.user_id, data.password, data.email)
        return Accepted("If this address is available, we have sent a link to confirm it.")

    @post(
        "/email/confirm",
        summary="Confirm the new address",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(LinkInvalid),
    )
    async def confirm_email(
        self, registration: NamedDependency[Registration], data: JSONBody[MailedToken]
    ) -> None:
        """Confirm the new address with the mailed token."""
        await registration.confirm_email(data.token)


class AccountDeletionController(Controller):
    path = "/me"
    tags = ("Accounts",)
    guards = (interactive_only,)
    dependencies = {"registration": service(Registration)}

    @delete(
        summary="Close your account",
        responses=problems(Unauthorized, ScopeTooNarrow, WrongPassword, LastAdmin, TooManyAttempts),
    )
    async def close_account(
        self,
        user: CurrentUser,
        registration: NamedDependency[Registration],
        data: JSONBody[AccountDeletion],
    ) -> None:
        """Delete your account and all your data, with your password."""
        await registration.close_account(user.user_id, data.password)


async def limit_mail(request: Request[Any, Any, Any], email: str) -> None:
    """Apply the limits on mail, equally for unknown addresses. Raises TooManyAttempts."""
    await MAIL_REQUESTS.acquire(client_address(request))
    await MAILBOX.acquire(account_key(email))
