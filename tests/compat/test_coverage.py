"""The coverage report at the older backend's path."""

from pathlib import Path

import httpx
import pytest

from videoflix.compat.netiflex import coverage


async def test_report_of_a_checkout(
    client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "coverage"
    folder.mkdir()
    (tmp_path / "secret.html").write_text("a secret")
    monkeypatch.setattr(coverage, "report_folder", lambda: folder)
    assert (await client.get("/coverage_html_report/")).status_code == 404
    (folder / "index.html").write_text("covered")
    (folder / "style.css").write_text("body {}")
    for path in ("/coverage_html_report", "/coverage_html_report/index.html"):
        page = await client.get(path)
        assert (page.text, page.headers["content-type"]) == ("covered", "text/html; charset=utf-8")
    style = await client.get("/coverage_html_report/style.css")
    assert style.headers["content-type"].startswith("text/css")
    for path in ("../secret.html", "%2e%2e/secret.html", "..%2fsecret.html"):
        assert "a secret" not in (await client.get(f"/coverage_html_report/{path}")).text


async def test_an_installed_package_has_none(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "report_folder", lambda: None)
    assert (await client.get("/coverage_html_report/")).status_code == 404


def test_this_is_a_checkout() -> None:
    folder = coverage.report_folder()
    assert folder is not None
    assert (folder.parents[1] / "pyproject.toml").exists()
