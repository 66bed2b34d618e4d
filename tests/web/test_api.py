"""The built-in pages: complete, cacheable, and closed to everything else."""

import hashlib
import json
import posixpath
import re
from pathlib import Path

import httpx
import pytest

from videoflix.web.api import FILES, SECTIONS, STATIC

PAGES = ["/", "/admin", "/mail", "/admin/jobs", "/admin/users/1"]


@pytest.mark.parametrize("page", PAGES)
async def test_pages_load_only_what_we_serve(admin: httpx.AsyncClient, page: str) -> None:
    answer = await admin.get(page)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|style=|\son\w+=", answer.text), "no inline code"
    for target in re.findall(r'(?:src|href)="(/assets/[^"]+)"', answer.text):
        assert (await admin.get(target)).status_code == 200, target


async def test_every_import_of_a_script_is_there(client: httpx.AsyncClient) -> None:
    for name, file in FILES.items():
        if name.endswith(".js") and not name.startswith("vendor/"):
            text = file.content.decode()
            for target in re.findall(r'from "(\.\.?/[^"]+)"', text):
                assert posixpath.normpath(f"{Path(name).parent}/{target}") in FILES, (
                    f"{name} loads {target}"
                )


async def test_unchanged_files_are_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/assets/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get("/assets/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await client.head("/assets/app.js")
    assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])
    vendored = await client.get("/assets/vendor/hls.js-1.7.4/hls.min.js")
    assert "immutable" in vendored.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["nothing.js", "../api.py", "..%2fapi.py", "%2e%2e/api.py", "vendor/", "", "//etc/passwd"],
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/assets/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_vendored_files_are_what_their_authors_published() -> None:
    manifest = json.loads((STATIC / "vendor" / "vendor.json").read_text())
    listed = {
        f"{entry['name']}-{entry['version']}/{file}": digest
        for entry in manifest
        for file, digest in entry["files"].items()
    }
    found = {
        path.relative_to(STATIC / "vendor").as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in (STATIC / "vendor").rglob("*")
        if path.is_file() and path.name != "vendor.json"
    }
    assert listed == found
    assert all(
        (STATIC / "vendor" / f"{e['name']}-{e['version']}" / "LICENSE").exists() for e in manifest
    )


async def test_api_docs_come_from_us(client: httpx.AsyncClient) -> None:
    for path in ("/schema", "/schema/swagger", "/schema/redoc"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert not re.search(r'(?:src|href)="https?://', answer.text), path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    document = (await client.get("/schema/openapi.json")).json()
    assert document["info"]["title"] == "Videoflix"
    assert (await client.get("/schema/openapi.yaml")).status_code == 200


def test_pages_name_no_other_host() -> None:
    for path in Path(STATIC).rglob("*"):
        if "vendor" not in path.parts and path.suffix in {".html", ".js", ".css"}:
            hosts = re.findall(r"https?://[\w.-]+", path.read_text())
            assert not [host for host in hosts if "w3.org" not in host], path


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/admin", "/?next=/admin"),
        ("/admin/jobs?status=failed", "/?next=/admin/jobs%3Fstatus%3Dfailed"),
        ("/admin/users/12", "/?next=/admin/users/12"),
        ("/mail", "/?next=/mail"),
    ],
)
async def test_strangers_are_sent_to_sign_in(
    client: httpx.AsyncClient, path: str, target: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, target)
    assert answer.headers["cache-control"] == "no-store"


async def test_staff_pages_take_a_role(
    viewer: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    admin: httpx.AsyncClient,
    owner: httpx.AsyncClient,
) -> None:
    for_editors = {"/admin", "/admin/titles", "/admin/categories"}
    for path in {"/mail", "/admin"} | {f"/admin/{section}" for section in SECTIONS}:
        assert (await viewer.get(path)).status_code == 403, path
        assert (await editor.get(path)).status_code == (200 if path in for_editors else 403), path
        assert (await admin.get(path)).status_code == 200, path
        assert (await owner.get(path)).status_code == 200, path
    assert "Access denied" in (await viewer.get("/admin")).text
    assert (await admin.get("/admin/nothing")).status_code == 404


async def test_unknown_pages_tell_people_the_way_and_programs_the_problem(
    client: httpx.AsyncClient,
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml"}
    page = await client.get("/no/such/page", headers=browser)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path, headers in (("/no/such/page", {}), ("/api/v1/nothing", browser)):
        problem = await client.get(path, headers=headers)
        assert problem.status_code == 404
        assert problem.headers["content-type"] == "application/problem+json"


async def test_swagger_is_filtered_and_remembers_who_is_authorized(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/schema/swagger")).text
    assert "filter: true, persistAuthorization: true" in page
