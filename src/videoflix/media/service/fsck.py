"""Compare rows with objects, both ways; every difference is confirmed before it is reported.

Rows and listings are read in batches, so memory use is bounded.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from videoflix.catalog.models import OWN_POSTERS
from videoflix.media.inventory import AssetInventory, ExpectedObject, Inventory, ObjectRole
from videoflix.media.service.repair import Repairs
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.installation import ensure_own_storage
from videoflix.platform.storage.media_storage import ObjectInfo, media_storage

ASSETS_AT_ONCE = 50
PICTURES_AT_ONCE = 500
# Of categories, and posters that editors chose.
PICTURES = ("categories/", f"{OWN_POSTERS}/")
# Exports have their own sweep, and health checks delete their own objects.
OTHERS = ("exports/", "health/", "uploads/")


class Fault(StrEnum):
    """Kind of a finding."""

    MISSING = "missing"
    WRONG_SIZE = "wrong-size"
    WRONG_HASH = "wrong-hash"
    ORPHAN = "orphan"
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True):
    """An object that differs from its row, or has none; `repair` says what was done about it."""

    fault: Fault
    key: str
    role: ObjectRole | None = None
    asset_id: int | None = None
    video_id: int | None = None
    detail: str = ""
    repair: str = ""


class Summary(msgspec.Struct):
    """What was checked; `unverified` objects have no stored hash, or were not read."""

    assets: int = 0
    objects: int = 0
    bytes: int = 0
    verified: int = 0
    unverified: int = 0
    findings: int = 0
    repaired: int = 0


class Options(msgspec.Struct, frozen=True):
    """Options of a run; younger objects than `grace` may not have their row yet."""

    repair: bool = False
    read_all: bool = False
    grace: timedelta = timedelta(days=1)


Report = Callable[[Finding], None]
Progress = Callable[[Summary], None]


class Fsck:
    def __init__(self, options: Options, report: Report, progress: Progress) -> None:
        self.options = options
        self.summary = Summary()
        self._report = report
        self._progress = progress
        self._until: datetime

    async def run(self) -> Summary:
        """Check everything. Raises StorageUnavailable or StorageMisconfigured."""
        await self.prepare()
        await self._check_assets()
        await self._check_objects()
        await self._check_pictures()
        await self._check_unfinished()
        return self.summary

    async def prepare(self) -> None:
        """Check that the storage belongs to this database, and read its clock.

        Raises StorageUnavailable or StorageMisconfigured.
        """
        await ensure_own_storage()
        self._until = await media_storage().clock() - self.options.grace

    async def _check_assets(self) -> None:
        last = 0
        while True:
            async with transaction() as session:
                batch = await Inventory(session).after(last, ASSETS_AT_ONCE)
            if not batch:
                return
            for asset in batch:
                await self._check_asset(asset)
                last = asset.asset_id
                self.summary.assets += 1
                self._progress(self.summary)

    async def _check_asset(self, asset: AssetInventory) -> None:
        found = list(await self._compare(asset))
        if not found:
            return
        async with transaction() as session:  # it may have changed meanwhile
            now = await Inventory(session).one(asset.asset_id)
        if now is None:
            return
        first = {(finding.fault, finding.key) for finding in found}
        again = await self._compare(now, count=False)
        confirmed = [finding for finding in again if (finding.fault, finding.key) in first]
        done: dict[str, str] = {}
        if self.options.repair:
            done = await Repairs(now).apply([found.key for found in confirmed])
        for finding in confirmed:
            self._add(msgspec.structs.replace(finding, repair=done.get(finding.key, "")))

    async def _compare(self, asset: AssetInventory, *, count: bool = True) -> list[Finding]:
        here = {
            found.key: found
            async for batch in media_storage().objects(asset.folder)
            for found in batch
        }
        findings = []
        for expected in asset.expected.values():
            found = here.get(expected.key)
            if found is None and (expected.role is ObjectRole.SOURCE or not asset.failed):
                findings.append(_about(asset, expected, Fault.MISSING, "no such object"))
            if found is not None:
                findings += await self._compare_object(asset, expected, found, count=count)
        return findings + list(self._orphans(asset, here))

    async def _compare_object(
        self, asset: AssetInventory, expected: ExpectedObject, found: ObjectInfo, *, count: bool
    ) -> list[Finding]:
        if expected.size not in {None, found.size} or found.size == 0:
            sizes = f"{found.size} bytes instead of {expected.size}"
            return [_about(asset, expected, Fault.WRONG_SIZE, sizes)]
        if expected.sha256 is None or not self.options.read_all:
            self.summary.unverified += count
            return []
        try:
            sha256 = await hash_of(expected.key)
        except FileNotFoundError:
            return [_about(asset, expected, Fault.MISSING, "no such object")]
        self.summary.verified += count
        if sha256 == expected.sha256:
            return []
        return [_about(asset, expected, Fault.WRONG_HASH, f"SHA-256 is {sha256}")]

    def _orphans(self, asset: AssetInventory, here: dict[str, ObjectInfo]) -> Iterator[Finding]:
        for key in here.keys() - asset.expected.keys():
            if here[key].modified < self._until:
                detail = f"{here[key].size} bytes"
                yield Finding(Fault.ORPHAN, key, None, asset.asset_id, asset.video_id, detail)

    async def _check_objects(self) -> None:
        """Find objects without a row: orphaned folders, and unknown keys."""
        known: set[str] = set()  # of the last batch: the objects of a folder are listed together
        async for batch in media_storage().objects():
            folders = {folder for found in batch if (folder := _folder_of(found.key))}
            async with transaction() as session:
                known &= folders
                known |= await Inventory(session).known_folders(sorted(folders - known))
            for found in batch:
                self.summary.objects += 1
                self.summary.bytes += found.size
                folder = _folder_of(found.key)
                if folder and folder not in known and found.modified < self._until:
                    await self._orphan(found, folder)
                elif not folder and not found.key.startswith((*PICTURES, *OTHERS)):
                    self._add(Finding(Fault.UNKNOWN, found.key, detail=f"{found.size} bytes"))
            self._progress(self.summary)

    async def _orphan(self, found: ObjectInfo, folder: str) -> None:
        repair = ""
        if self.options.repair:
            async with transaction() as session:
                if await Inventory(session).known_folders([folder]):
                    return
            await media_storage().delete([found.key])
            repair = "deleted"
        self._add(Finding(Fault.ORPHAN, found.key, detail=f"{found.size} bytes", repair=repair))

    async def _check_pictures(self) -> None:
        """Check the pictures of categories and the posters of editors, both ways."""
        for folder in PICTURES:
            async for batch in media_storage().objects(folder):
                async with transaction() as session:
                    used = await Inventory(session).used_pictures([found.key for found in batch])
                for found in batch:
                    if found.key not in used and found.modified < self._until:
                        await self._picture_orphan(found)
        last = ""
        while True:
            async with transaction() as session:
                keys = await Inventory(session).pictures_after(last, PICTURES_AT_ONCE)
            if not keys:
                return
            for last in keys:
                if await media_storage().size(last) is None:
                    await self._lost_picture(last)

    async def _lost_picture(self, key: str) -> None:
        async with transaction() as session:
            if await Inventory(session).used_pictures([key]):  # not replaced meanwhile
                self._add(Finding(Fault.MISSING, key, detail="upload the picture again"))

    async def _picture_orphan(self, found: ObjectInfo) -> None:
        repair = ""
        if self.options.repair:
            async with transaction() as session:
                if await Inventory(session).used_pictures([found.key]):
                    return
            await media_storage().delete([found.key])
            repair = "deleted"
        self._add(Finding(Fault.ORPHAN, found.key, detail=f"{found.size} bytes", repair=repair))

    async def _check_unfinished(self) -> None:
        """Find files left by killed writers on a local disk; buckets do not list theirs."""
        local = media_storage().local
        if local is None:
            return
        for key in await asyncio.to_thread(local.unfinished, self._until):
            self._add(
                Finding(Fault.UNFINISHED, key, repair="deleted" if self.options.repair else "")
            )
        if self.options.repair:
            await media_storage().drop_unfinished(self.options.grace)

    def _add(self, finding: Finding) -> None:
        self.summary.findings += 1
        self.summary.repaired += bool(finding.repair)
        self._report(finding)


async def hash_of(key: str) -> str:
    """Compute the SHA-256 of an object. Raises FileNotFoundError."""
    digest = hashlib.sha256()
    async for piece in media_storage().stream(key):
        await asyncio.to_thread(digest.update, piece)
    return digest.hexdigest()


def _about(asset: AssetInventory, expected: ExpectedObject, fault: Fault, detail: str) -> Finding:
    return Finding(fault, expected.key, expected.role, asset.asset_id, asset.video_id, detail)


def _folder_of(key: str) -> str | None:
    """The asset folder of a key; None if it is not in one."""
    parts = key.split("/", 2)
    return f"assets/{parts[1]}" if len(parts) == 3 and parts[0] == "assets" else None
