"""The command line of operators.

`videoflix` also runs Litestar's own commands (`videoflix routes`, `videoflix schema openapi`), and
`litestar` lists ours, by the plugin `OperatorCommands`.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from videoflix.platform.late_import import late

APP = "videoflix.app:create_app"
LITESTAR_GROUP = "litestar.cli.main:litestar_group"
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


class WithLitestar(click.Group):
    """A group that falls back to Litestar's commands for our application."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._litestar_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; report database errors as sentences instead of tracebacks."""
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
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; default 8000.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--sample/--no-sample",
    default=None,
    help="Upload a short sample film; done by default on the first start.",
)
def up(port: int | None, host: str, sample: bool | None) -> None:
    """Run everything: database, API and workers, until Ctrl-C."""
    sys.exit(late("videoflix.up.run:run")(host, port, sample))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--shutdown-seconds",
    type=click.IntRange(1, 3600),
    help="Time for running uploads to finish on shutdown; default HTTP_SHUTDOWN_SECONDS.",
)
@click.option("--migrate", "first", is_flag=True, help="Upgrade the database schema first.")
def serve(host: str, port: int, shutdown_seconds: int | None, first: bool) -> None:
    """Run the API only, without database and workers."""
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
    """Generate a numbered migration from the difference between models and database."""
    click.echo(late("videoflix.platform.postgres.migrations:write_migration")(name))


@main.command()
@click.option(
    "--role",
    type=click.Choice(["transcode", "default", "maintenance", "all"]),
    default="all",
    show_default=True,
    help="Queues to process.",
)
def worker(role: str) -> None:
    """Run a worker that processes queued jobs."""
    late("videoflix.worker:run")(role)


@main.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Show the job queue and the workers."""
    if context.invoked_subcommand is None:
        asyncio.run(late("videoflix.up.jobs:show")())


@jobs.command("retry")
@click.argument("job_id", type=click.IntRange(1))
def retry_job(job_id: int) -> None:
    """Retry a failed or cancelled job with all its attempts."""
    asyncio.run(late("videoflix.up.jobs:retry")(job_id))
    click.echo(f"Job {job_id} is queued.")


@jobs.command("cancel")
@click.argument("job_id", type=click.IntRange(1))
def cancel_job(job_id: int) -> None:
    """Cancel a job; a running one is stopped by its worker."""
    asyncio.run(late("videoflix.up.jobs:cancel")(job_id))
    click.echo(f"Job {job_id} is cancelled.")


@jobs.command("run")
@click.argument("job", type=str)
def run_job(job: str) -> None:
    """Run a scheduled job now, by its id or by the name of its schedule."""
    asyncio.run(late("videoflix.up.jobs:run")(job))
    click.echo(f"{job} is queued.")


@main.command()
def doctor() -> None:
    """Check that everything Videoflix needs is in place, and suggest fixes."""
    sys.exit(late("videoflix.up.doctor:run")())


@main.group("export", invoke_without_command=True)
@click.option("--media", is_flag=True, help="Include films, posters and pictures.")
@click.option(
    "--to",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of the storage.",
)
@click.pass_context
def export_group(context: click.Context, media: bool, file: Path | None) -> None:
    """Export the whole installation into one archive."""
    if context.invoked_subcommand is None:
        asyncio.run(late("videoflix.up.backup:export")(file, media))


@export_group.command("verify")
@click.argument("file", type=EXISTING)
def verify_export(file: Path) -> None:
    """Check that an archive is complete and unmodified; needs no database."""
    late("videoflix.up.backup:verify")(file)


@main.command("import")
@click.argument("file", type=EXISTING)
@click.option("--dry-run", is_flag=True, help="Check the file without changing anything.")
@click.option("--replace", is_flag=True, help="Delete existing data first.")
def import_file(file: Path, dry_run: bool, replace: bool) -> None:
    """Import an archive, or the titles of an older backend's JSON list.

    The file is checked first, then imported in one transaction.
    """
    asyncio.run(late("videoflix.up.backup:import_file")(file, dry_run, replace))


@main.command("export-videos")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export_videos(file: Path) -> None:
    """Export the titles as a JSON list, in the format of older backends."""
    asyncio.run(late("videoflix.up.backup:export_videos")(file))


main.add_command(export_videos, "export_video_data")


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


@main.group()
def media() -> None:
    """Manage uploaded files and the media storage."""


@media.command("fsck")
@click.option(
    "--repair", is_flag=True, help="Recreate what can be derived from sources; delete orphans."
)
@click.option("--hash", "read_all", is_flag=True, help="Read every object and compare its SHA-256.")
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=0.0),
    default=24.0,
    show_default=True,
    help="Ignore younger objects, whose rows may not be committed yet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check_media(repair: bool, read_all: bool, grace_hours: float, as_json: bool) -> None:
    """Compare the database with the stored files, in both directions.

    Exit status: 0 without findings, 1 with findings, 2 if the check failed.
    """
    check = late("videoflix.up.fsck:run")
    sys.exit(check(repair=repair, read_all=read_all, grace_hours=grace_hours, as_json=as_json))


@media.command("adopt")
def adopt_storage() -> None:
    """Pair this database with this media storage.

    For a storage that was moved without its marker, or an old storage with a new database.
    """
    click.echo(asyncio.run(late("videoflix.up.fsck:adopt")()))


@media.command("retry")
@click.argument("video_id", type=click.IntRange(1), required=False)
@click.option("--all-failed", is_flag=True, help="All films whose file failed and is kept.")
def retry_video(video_id: int | None, all_failed: bool) -> None:
    """Resume processing of a video's newest file; finished chunks are kept."""
    if (video_id is None) is not all_failed:
        raise click.UsageError("Give the ID of a film, or --all-failed.")
    count = asyncio.run(late("videoflix.up.media:retry")(video_id))
    click.echo(f"{count} film{'' if count == 1 else 's'} queued.")


@main.group()
def seed() -> None:
    """Fill the catalogue with sample videos."""


@seed.command("demo")
def seed_demo() -> None:
    """Add a few short videos with categories, for a first look."""
    asyncio.run(late("videoflix.up.seed:demo")())
    click.echo("Films added. The workers are encoding them now.")


@seed.command("bulk")
@click.option("--videos", type=click.IntRange(1, 10_000_000), default=100_000, show_default=True)
def seed_bulk(videos: int) -> None:
    """Add very many videos without files, for benchmarks."""
    asyncio.run(late("videoflix.up.seed:bulk")(videos))


class OperatorCommands:
    """Litestar plugin (a CLIPluginProtocol) that adds our commands to `litestar`.

    It does not inherit from the protocol, because importing it would load all of Litestar.
    """

    def on_cli_init(self, cli: click.Group) -> None:
        for command in main.commands.values():
            cli.add_command(command)
        cli.add_command(
            serve, "run"
        )  # replaces Litestar's, which starts a server without our limits


if __name__ == "__main__":
    main()
