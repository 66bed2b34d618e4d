"""The JSON list of titles that older backends wrote."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from catalog.factories import add_films
from queue_helpers import execute, rows
from videoflix.cli import main
from videoflix.platform.postgres.session import alchemy

# As `export_video_data` of an older backend wrote it.
OLD: list[dict[str, Any]] = [
    {
        "id": "2",
        "title": "Dunes",
        "author": "Ada",
        "description": "Sand.\r\nMore sand.",
        "uploaded_by": 1,
        "genre": "documentary",
        "uploaded_at": "2024-05-01 06:00:00",
        "updated_at": "2024-05-02 06:00:00",
        "is_favorite": "1",
        "language": "german",
        "video_file": "videos/dunes.mp4",
        "poster": "posters/dunes.jpg",
        "vtt_file": "",
        "video_file_hd360": "videos/dunes_hd360.mp4",
        "video_file_hd480": "",
        "video_file_hd720": "",
        "video_file_hd1080": "",
        "duration": "61",
    },
    {"id": "3", "title": "Ämter", "author": "", "is_favorite": "0", "language": None},
]


def videoflix(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def run(work: Any) -> Any:
    return asyncio.run(work)


@pytest.fixture
def file(committed: None, tmp_path: Path) -> Path:
    path = tmp_path / "video_data.json"
    path.write_text(json.dumps(OLD))
    return path


def test_titles_come_in_as_drafts_without_a_file(file: Path) -> None:
    done = videoflix("import", file)
    assert done.exit_code == 0, done.output
    assert "2 titles added" in done.output
    dunes, offices = run(rows("select * from video order by id"))
    assert (
        dunes
        | {
            "title": "Dunes",
            "author": "Ada",
            "description": "Sand.\r\nMore sand.",
            "genre": "documentary",
            "language": "de",
            "featured": True,
            "published_at": None,
            "state": "failed",
            "failure_code": "file-missing",
            "uploaded_by": None,
        }
        == dunes
    )
    assert f"{dunes['created_at']:%Y-%m-%d %H:%M}" == "2024-05-01 06:00"
    assert (offices["title"], offices["language"], offices["featured"]) == ("Ämter", "en", False)


def test_titles_come_in_once(file: Path) -> None:
    assert "2 titles would be added" in videoflix("import", file, "--dry-run").output
    assert run(rows("select * from video")) == []
    videoflix("import", file)
    assert "0 titles added, as drafts without a file; 2 already" in videoflix("import", file).output
    assert len(run(rows("select * from video"))) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]", "not a JSON list of titles"),
        ("{}", "not a JSON list of titles"),
        ("[{", "not a JSON list of titles"),
        ('[{"id":"1"}]', "Entry 1 has no title"),
        ('[{"title":"A"},{"title":"B","uploaded_at":"yesterday"}]', "Entry 2, B"),
        ('[{"title":"A","language":"klingonisch"}]', "language"),
        (json.dumps([{"title": "x" * 201}]), "title"),
    ],
)
def test_wrong_lists_are_refused(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    done = videoflix("import", file)
    assert done.exit_code == 1
    assert sentence in done.output
    assert "Traceback" not in done.output
    assert run(rows("select * from video")) == []


@pytest.mark.parametrize("command", ["export-videos", "export_video_data"])
def test_titles_are_written_as_older_backends_did(
    committed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    run(furnish())
    run(execute("update video set created_at = '2026-01-02 03:04:05.678+00', updated_at ="
                " '2026-01-02 03:04:05.678+00', language = 'fr'"))  # fmt: skip
    path = tmp_path / "titles.json"
    done = videoflix(command, path)
    assert done.exit_code == 0, done.output
    assert "2 titles" in done.output
    monkeypatch.chdir(tmp_path)
    assert videoflix(command).exit_code == 0
    (named,) = (tmp_path / "exports").glob("video_data_????-??-??_??-??-??.json")
    assert named.read_bytes() == path.read_bytes()
    first, second = json.loads(path.read_text())
    assert first == dict.fromkeys(OLD[0], "") | {
        "id": "1",
        "title": "Élan “vital”",
        "author": "Bergson",
        "uploaded_at": "2026-01-02 03:04:05",
        "updated_at": "2026-01-02 03:04:05",
        "is_favorite": "1",
        "language": "french",
        "duration": "100",
    }
    assert list(first) == list(OLD[0])
    assert second["is_favorite"] == "0"
    run(execute("truncate video cascade"))
    assert "2 titles added" in videoflix("import", path).output


async def furnish() -> None:
    async with alchemy.get_session() as session:
        await add_films(
            session,
            {"title": "Élan “vital”", "author": "Bergson", "featured": True},
            {"title": "Dune"},
        )


def test_no_titles_are_a_list_too(committed: None, tmp_path: Path) -> None:
    path = tmp_path / "titles.json"
    videoflix("export-videos", path)
    assert json.loads(path.read_text()) == []
    assert "0 titles added" in videoflix("import", path).output
