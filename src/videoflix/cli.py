"""The commands of an operator: `videoflix up`, and what `up` runs for them.

`videoflix` also knows Litestar's own commands (`videoflix routes`, `videoflix schema openapi`),
and `litestar` shows ours: `OperatorCommands` puts them there.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

APP = "videoflix.app:create_app"
LITESTAR_GROUP = "litestar.cli.main:litestar_group"
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


def late(target: str) -> Callable[..., Any]:
    """The function `module:name`, imported when a command runs.

    The one place where imports wait: `videoflix --help` needs no settings, and `up`, which
    only starts other processes, need not load the whole application first.
    """
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


class WithLitestar(click.Group):
    """Commands it does not know itself are Litestar's, for our application."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._litestar_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors of the database, whichever command meets them, are sentences."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            sentence = late("videoflix.up.admin:sentence_for")(error)
            if sentence is None:
                raise
            raise sentence from error

    def _litestar_command(self, ctx: click.Context, name: str) -> click.Command | None:
        os.environ.setdefault("LITESTAR_APP", APP)
        litestar: Any = late(LITESTAR_GROUP)
        litestar.list_commands(ctx)  # loads the application, which adds its plugins' commands
        command: click.Command | None = litestar.get_command(ctx, name)
        return command


@click.group(
    cls=WithLitestar,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Litestar's commands work too, such as `videoflix routes`: see `litestar --help`.",
)
@click.version_option(package_name="videoflix")
def main() -> None:
    """Videoflix: the backend of a streaming site."""


@main.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port to serve on; 8000 if not given.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--sample/--no-sample",
    default=None,
    help="Upload a short film to try things with; happens by itself on the very first start.",
)
def up(port: int | None, host: str, sample: bool | None) -> None:
    """Run everything: database, API and workers, until Ctrl-C."""
    sys.exit(late("videoflix.up.run:run")(host, port, sample))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port."
)
@click.option(
    "--shutdown-seconds",
    type=click.IntRange(1, 3600),
    help="How long uploads that are under way may take once told to stop; HTTP_SHUTDOWN_SECONDS.",
)
@click.option("--migrate", "first", is_flag=True, help="Upgrade the database schema first.")
def serve(host: str, port: int, shutdown_seconds: int | None, first: bool) -> None:
    """Run the API, without database and workers, until told to stop."""
    if first:
        late("videoflix.up.admin:migrate_when_possible")()
    late("videoflix.platform.server.serve:serve")(host, port, shutdown_seconds)


@main.command()
def migrate() -> None:
    """Upgrade the database schema."""
    late("videoflix.up.admin:migrate")()


@main.command()
@click.argument("name")
def migration(name: str) -> None:
    """Write a numbered migration from what the models have and the database lacks."""
    click.echo(late("videoflix.platform.postgres.migrations:write_migration")(name))


@main.command()
@click.option(
    "--role",
    type=click.Choice(["transcode", "default", "maintenance", "all"]),
    default="all",
    show_default=True,
    help="Which queues to work on.",
)
def worker(role: str) -> None:
    """Work on queued jobs until told to stop."""
    late("videoflix.worker:run")(role)


@main.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Show the job queue: what waits, runs and failed, and who works."""
    if context.invoked_subcommand is None:
        asyncio.run(late("videoflix.up.jobs:show")())


@jobs.command("retry")
@click.argument("job_id", type=click.IntRange(1))
def retry_job(job_id: int) -> None:
    """Give a job that failed or was cancelled all its attempts again."""
    asyncio.run(late("videoflix.up.jobs:retry")(job_id))
    click.echo(f"Job {job_id} is queued.")


@jobs.command("cancel")
@click.argument("job_id", type=click.IntRange(1))
def cancel_job(job_id: int) -> None:
    """Cancel a job; one that runs is stopped by its worker."""
    asyncio.run(late("videoflix.up.jobs:cancel")(job_id))
    click.echo(f"Job {job_id} is cancelled.")


@jobs.command("run")
@click.argument("job", type=str)
def run_job(job: str) -> None:
    """Run a job now that waits for its time: its number, or the name of a scheduled one."""
    asyncio.run(late("videoflix.up.jobs:run")(job))
    click.echo(f"{job} is queued.")


@main.command()
def doctor() -> None:
    """Check that everything Videoflix needs is in place, and suggest fixes."""
    sys.exit(late("videoflix.up.doctor:run")())


@main.group("export", invoke_without_command=True)
@click.option("--media", is_flag=True, help="Films, posters and pictures as well.")
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of the storage.",
)
@click.pass_context
def export_group(context: click.Context, media: bool, file: Path | None) -> None:
    """Put the whole installation into one archive."""
    if context.invoked_subcommand is None:
        asyncio.run(late("videoflix.up.backup:export")(file, media))


@export_group.command("verify")
@click.argument("file", type=EXISTING)
def verify_export(file: Path) -> None:
    """Check that an archive is whole and unchanged; needs no database."""
    late("videoflix.up.backup:verify")(file)


@main.command("import")
@click.argument("file", type=EXISTING)
@click.option("--dry-run", is_flag=True, help="Check everything and change nothing.")
@click.option("--replace", is_flag=True, help="Remove what is here first.")
def import_file(file: Path, dry_run: bool, replace: bool) -> None:
    """Put an archive back, or enter the titles of an older backend's JSON list.

    All of it is checked first; then everything happens, or nothing.
    """
    asyncio.run(late("videoflix.up.backup:import_file")(file, dry_run, replace))


@main.command("export-videos")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export_videos(file: Path) -> None:
    """Write the titles as the JSON list that older backends exported."""
    asyncio.run(late("videoflix.up.backup:export_videos")(file))


main.add_command(export_videos, "export_video_data")


@main.group()
def users() -> None:
    """Manage accounts."""


@users.command("create-admin")
@click.argument("email")
@click.option("--first-name", default="")
@click.option("--last-name", default="")
@click.option("--owner", is_flag=True, help="May also read what people watch.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_admin(
    email: str, first_name: str, last_name: str, owner: bool, password_stdin: bool
) -> None:
    """Make an account that may administer everything.

    The password is asked for, or taken from standard input (--password-stdin) or from the
    variable VIDEOFLIX_PASSWORD; as an argument every user of the machine could read it.
    """
    password = late("videoflix.up.admin:ask_password")(password_stdin)
    create = late("videoflix.up.admin:create_admin")
    asyncio.run(create(email, password, first_name, last_name, owner))
    click.echo(f"{email} may sign in now.")


@users.command("list")
def list_users() -> None:
    """Show every account."""
    asyncio.run(late("videoflix.up.users:show")())


@users.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice(["viewer", "editor", "admin", "owner"]))
def change_role(email: str, role: str) -> None:
    """Give an account another role; it has to sign in again."""
    asyncio.run(late("videoflix.up.users:change_role")(email, role))
    click.echo(f"{email} is {role} now.")


@users.command("email")
@click.argument("user_id", type=click.IntRange(1))
@click.argument("email")
def change_user_email(user_id: int, email: str) -> None:
    """Give the account with this ID another e-mail address; it has to sign in again."""
    asyncio.run(late("videoflix.up.users:change_email")(user_id, email))
    click.echo(f"Account {user_id} signs in with {email} now.")


@users.command("deactivate")
@click.argument("email")
def deactivate_user(email: str) -> None:
    """Switch an account off; it is signed out everywhere within a second."""
    asyncio.run(late("videoflix.up.users:deactivate")(email))
    click.echo(f"{email} is deactivated.")


@main.group()
def media() -> None:
    """Look after uploaded files and the media storage."""


@media.command("fsck")
@click.option("--repair", is_flag=True, help="Queue what can be made again; delete orphans.")
@click.option("--hash", "read_all", is_flag=True, help="Read every object, compare its SHA-256.")
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=0.0),
    default=24.0,
    show_default=True,
    help="Leave younger objects alone: their rows may be on the way.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON document.")
def check_media(repair: bool, read_all: bool, grace_hours: float, as_json: bool) -> None:
    """Compare the database with the stored files, in both directions.

    Exit status: 0 if all is well, 1 if there are findings, 2 if it could not be checked.
    """
    check = late("videoflix.up.fsck:run")
    sys.exit(check(repair=repair, read_all=read_all, grace_hours=grace_hours, as_json=as_json))


@media.command("adopt")
def adopt_storage() -> None:
    """Declare that this database and this media storage belong together.

    After moving a storage without its marker, or giving an old storage a new database.
    """
    click.echo(asyncio.run(late("videoflix.up.fsck:adopt")()))


@media.command("retry")
@click.argument("video_id", type=click.IntRange(1), required=False)
@click.option("--all-failed", is_flag=True, help="Every film whose file failed and is kept.")
def retry_video(video_id: int | None, all_failed: bool) -> None:
    """Resume the work on a film's newest file; what is encoded already is kept."""
    if (video_id is None) is not all_failed:
        raise click.UsageError("Give the number of a film, or --all-failed.")
    count = asyncio.run(late("videoflix.up.media:retry")(video_id))
    click.echo(f"{count} film{'' if count == 1 else 's'} queued.")


@main.group()
def seed() -> None:
    """Fill the catalogue with invented films."""


@seed.command("demo")
def seed_demo() -> None:
    """Enter a few short films with categories, to look around in."""
    asyncio.run(late("videoflix.up.seed:demo")())
    click.echo("Films added. The workers are encoding them now.")


@seed.command("bulk")
@click.option("--videos", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True)
def seed_bulk(videos: int) -> None:
    """Enter very many films without files, for measuring."""
    asyncio.run(late("videoflix.up.seed:bulk")(videos))


class OperatorCommands:
    """Litestar plugin (a CLIPluginProtocol): `litestar` shows our commands beside its own.

    It does not inherit from the protocol, because that alone would import all of Litestar.
    """

    def on_cli_init(self, cli: click.Group) -> None:
        for command in main.commands.values():
            cli.add_command(command)
        cli.add_command(serve, "run")  # Litestar's would start a server without our limits


if __name__ == "__main__":
    main()
