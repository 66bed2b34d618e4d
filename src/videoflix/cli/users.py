"""`videoflix users`."""

import asyncio

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


@main.group()
def users() -> None:
    """Manage accounts."""


@users.command("create-admin")
@click.argument("email")
@click.option("--first-name", default="")
@click.option("--last-name", default="")
@click.option("--owner", is_flag=True, help="Can also read what people watch.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_admin(
    email: str, first_name: str, last_name: str, owner: bool, password_stdin: bool
) -> None:
    """Create an administrator account.

    The password is prompted for, or read from standard input (--password-stdin) or the variable
    VIDEOFLIX_PASSWORD. It is not an argument, which other users of the machine could read.
    """
    password = late("videoflix.up.admin:ask_password")(password_stdin)
    create = late("videoflix.up.admin:create_admin")
    asyncio.run(create(email, password, first_name, last_name, owner))
    click.echo(f"Created {email}. They can sign in now.")


@users.command("list")
def list_users() -> None:
    """List all accounts."""
    asyncio.run(late("videoflix.up.users:show")())


@users.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice(["viewer", "editor", "admin", "owner"]))
def change_role(email: str, role: str) -> None:
    """Change an account's role; the user is signed out."""
    asyncio.run(late("videoflix.up.users:change_role")(email, role))
    click.echo(f"{email} is now {role}.")


@users.command("password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def set_user_password(email: str, password_stdin: bool) -> None:
    """Set an account's password; the user is signed out everywhere.

    The password is prompted for, or read from standard input (--password-stdin) or the variable
    VIDEOFLIX_PASSWORD.
    """
    password = late("videoflix.up.admin:ask_password")(password_stdin)
    asyncio.run(late("videoflix.up.users:set_password")(email, password))
    click.echo(f"{email} can sign in with the new password.")


@users.command("email")
@click.argument("user_id", type=click.IntRange(1))
@click.argument("email")
def change_user_email(user_id: int, email: str) -> None:
    """Change the e-mail address of the account with this ID; the user is signed out."""
    asyncio.run(late("videoflix.up.users:change_email")(user_id, email))
    click.echo(f"Account {user_id} now signs in with {email}.")


@users.command("deactivate")
@click.argument("email")
def deactivate_user(email: str) -> None:
    """Deactivate an account; the user is signed out everywhere within a second."""
    asyncio.run(late("videoflix.up.users:deactivate")(email))
    click.echo(f"Deactivated {email}.")
