"""Commands that run processes, and prepare the database for them."""

import sys

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late


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


@main.command()
def doctor() -> None:
    """Check that everything Videoflix needs is in place, and suggest fixes."""
    sys.exit(late("videoflix.up.doctor:run")())
