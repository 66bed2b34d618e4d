"""`videoflix export` and `videoflix import`."""

import asyncio
from pathlib import Path

from rich.console import Console
from rich.table import Table

from videoflix.backup.archive import Archive, Manifest
from videoflix.backup.service.exports import FILE_NAME, Exports, save_archive, store_archive
from videoflix.backup.service.imports import ImportReport, import_archive
from videoflix.backup.service.legacy_titles import LegacyTitles, save_titles
from videoflix.backup.zip_limits import ArchiveTooLarge
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.media_storage import media_storage
from videoflix.up.admin import errors_as_sentences

TITLES_MAX_BYTES = 64 * 1024 * 1024

console = Console(highlight=False, soft_wrap=True)


async def export(file: Path | None, with_media: bool) -> None:
    """Export an archive to the storage, or to a file. Raises ClickException."""
    with errors_as_sentences():
        if file is not None:
            made = await save_archive(file, with_media=with_media)
            console.print(f"{file}: {_summary(made.manifest)}, {made.size} bytes.")
            return
        folder, made = await store_archive(with_media=with_media)
        async with transaction() as session:
            kept = await Exports(session).add_finished(folder, made, with_media=with_media)
        console.print(f"Export {kept.id}: {_summary(made.manifest)}, {made.size} bytes.")
        place = media_storage().folder or Path()
        console.print(f"Stored as {place / folder / FILE_NAME}")


def verify(file: Path) -> None:
    """Verify an archive against its manifest. Raises ClickException."""
    with errors_as_sentences(), Archive(file) as archive:
        archive.check()
        manifest = archive.manifest
    created = f"{manifest.created_at:%Y-%m-%d %H:%M} UTC by release {manifest.app_version}"
    console.print(f"{file} is complete: {_summary(manifest)}.")
    console.print(f"Created {created}, schema {manifest.revision}.")


async def import_file(file: Path, dry_run: bool, replace: bool) -> None:
    """Import an archive or a list of titles. Raises ClickException."""
    with errors_as_sentences():
        if _is_list(file):
            if (await asyncio.to_thread(file.stat)).st_size > TITLES_MAX_BYTES:
                raise ArchiveTooLarge(
                    f"A list of titles can have at most {TITLES_MAX_BYTES} bytes."
                )
            data = await asyncio.to_thread(file.read_bytes)
            async with transaction() as session:
                titles = await LegacyTitles(session).import_titles(data, dry_run=dry_run)
            done = "would be added" if dry_run else "added, as drafts without a file"
            console.print(f"{titles.entered} titles {done}; {titles.known} already exist.")
            return
        report = await import_archive(file, replace=replace, dry_run=dry_run)
    _show(report, dry_run)
    if replace and not dry_run:
        console.print(
            "All users have to sign in again. Restart the API processes to clear their caches."
        )


async def export_videos(file: Path) -> None:
    """Export the list of titles. Raises ClickException."""
    with errors_as_sentences():
        count = await save_titles(file)
    console.print(f"{file}: {count} titles.")


def _is_list(file: Path) -> bool:
    """Whether a file looks like JSON rather than a zip archive."""
    with file.open("rb") as opened:
        return opened.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{"))


def _summary(manifest: Manifest) -> str:
    media = f" and {manifest.media.files} media files" if manifest.media else ""
    return f"{manifest.rows} rows of {len(manifest.tables)} tables{media}"


def _show(report: ImportReport, dry_run: bool) -> None:
    table = Table("Table", "New", "Existing", "Removed", box=None)
    for about in report.tables:
        if about.new or about.known or about.removed:
            table.add_row(about.name, str(about.new), str(about.known), str(about.removed))
    console.print(table)
    for sentence in report.conflicts:
        console.print(f"- {sentence}")
    if report.conflict_count:
        console.print(f"{report.conflict_count} rows conflict: the import would be rejected.")
    done = "would be" if dry_run else "were"
    console.print(f"{report.new} rows and {report.media} media files {done} imported.")
