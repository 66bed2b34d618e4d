"""Searching: what is found, in which order, and whatever people type."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films

VIDEOS = "/api/v1/videos"
SPOKEN = """WEBVTT

00:00:05.000 --> 00:00:06.000
We will always have Paris.

00:00:50.000 --> 00:00:52.000
Nothing of note

00:01:20.000 --> 00:01:21.000
Paris again
"""


@pytest.fixture
async def films(session: AsyncSession, editor: httpx.AsyncClient) -> dict[str, int]:
    ids = await add_films(
        session,
        {"title": "Casablanca", "author": "Michael Curtiz", "description": "A café in wartime."},
        {"title": "The Third Man", "author": "Carol Reed", "tags": ["vienna", "noir"]},
        {"title": "Before Sunrise", "description": "Two strangers walk through Vienna."},
        {"title": "Der müde Tod", "language": "de", "description": "Die Häuser der Städte"},
        {"title": "Runners", "language": "en", "description": "They ran and ran."},
    )
    found = dict(zip(["casablanca", "third", "sunrise", "tod", "runners"], ids, strict=True))
    path = f"{VIDEOS}/{found['casablanca']}/subtitles/en"
    await editor.put(path, files={"data": ("en.vtt", SPOKEN.encode())})
    return found


async def search(client: httpx.AsyncClient, words: str, **more: str | int) -> dict[str, Any]:
    answer = await client.get(VIDEOS, params={"search": words, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def titles(client: httpx.AsyncClient, words: str, **more: str | int) -> list[str]:
    return [item["title"] for item in (await search(client, words, **more))["items"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("casablanca", ["Casablanca"]),
        ("CASABLANCA!", ["Casablanca"]),
        ("curtiz", ["Casablanca"]),
        ("cafe", ["Casablanca"]),  # without its accent
        ("muede haus", ["Der müde Tod"]),
        ("mude hauser", ["Der müde Tod"]),
        ("Haus Stadt", ["Der müde Tod"]),  # other forms of the words, in the film's language
        ("runner", ["Runners"]),
        ("vienna", ["The Third Man", "Before Sunrise"]),  # a tag weighs more than a description
        ("vienna -noir", ["Before Sunrise"]),
        ('"third man"', ["The Third Man"]),
        ('"man third"', []),
        ("casa", ["Casablanca"]),  # the beginning of the last word
        ("the thi", ["The Third Man"]),
        ("casablanca or runners", ["Runners", "Casablanca"]),
    ],
)
async def test_words_find_films(
    films: dict[str, int], viewer: httpx.AsyncClient, words: str, expected: list[str]
) -> None:
    assert sorted(await titles(viewer, words)) == sorted(expected)
    if words == "vienna":
        assert await titles(viewer, words) == expected


async def test_spoken_words_are_found_with_their_time(
    films: dict[str, int], viewer: httpx.AsyncClient
) -> None:
    found = await search(viewer, "paris")
    (film,) = found["items"]
    assert film["title"] == "Casablanca"
    assert film["hits"] == [
        {"at": 5.0, "text": "We will always have Paris."},
        {"at": 80.0, "text": "Paris again"},
    ]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("東京物語", ["東京", "物語", "京", "東京物語", '"東京"']),
        ("となりのトトロ", ["トトロ", "ﾄﾄﾛ"]),
        ("서울의 봄", ["서울", "봄", "서울의 봄"]),
        ("ฉลาดเกมส์โกง", ["เกมส์", "โกง"]),
        ("Ναυτίλος", ["ΝΑΥΤΙΛΟΣ", "ναυτιλος", "Ναυτί"]),
        ("Don't Look Now", ["dont", "don't", "don’t look", "Dont Loo"]),
        ("L’Avventura", ["avventura", "lavventura", "l'avventura"]),
        ("Тихий Дон", ["тихии", "ТИХИЙ", "дон"]),
        ("كِتَاب", ["كتاب"]),
        ("Cafe\u0301 ＭＯＣＨＡ", ["café", "mocha", "CAFE moc"]),
    ],
)
async def test_words_of_every_script(
    session: AsyncSession, viewer: httpx.AsyncClient, title: str, words: list[str]
) -> None:
    await add_films(session, {"title": title}, {"title": "Another Film"}, {"title": "京都東山"})
    for typed in words:
        found = await search(viewer, typed)
        assert [item["title"] for item in found["items"] if item["title"] != "京都東山"] == [title]
        assert not found["corrected"], typed
    suggested = await viewer.get(f"{VIDEOS}/suggest", params={"q": words[0]})
    assert title in [item["title"] for item in suggested.json()]


async def test_characters_must_follow_one_another(
    session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await add_films(session, {"title": "京都東山"}, {"title": "東京物語"})
    assert await titles(viewer, "東京") == ["東京物語"]
    assert await titles(viewer, "物語 -東京") == []


async def test_long_compatibility_forms_are_no_error(
    session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    """One character of the title becomes 18."""
    await add_films(session, {"title": "\ufdfa" * 200})
    assert len(await titles(viewer, "\ufdfa")) == 1


@pytest.mark.parametrize(
    ("words", "corrected"),
    [("casablanka", "casablanca"), ("thrid man", "third man"), ("Curtis", "curtiz")],
)
async def test_typos_are_corrected(
    films: dict[str, int], viewer: httpx.AsyncClient, words: str, corrected: str
) -> None:
    found = await search(viewer, words)
    assert found["corrected"] == corrected
    assert len(await titles(viewer, words)) == 1


async def test_search_goes_with_filters_and_pages(
    films: dict[str, int], viewer: httpx.AsyncClient
) -> None:
    assert await titles(viewer, "vienna", language="de") == []
    assert await titles(viewer, "vienna", limit=1, offset=1) == ["Before Sunrise"]
    assert (await search(viewer, "vienna"))["total"] == 2


async def test_popular_films_come_first_among_equals(
    films: dict[str, int], viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    _, second = await add_films(session, {"title": "Same words"}, {"title": "Same words"})
    first = second - 1
    await session.execute(text("update video set popularity = 100 where id = :id"), {"id": first})
    await session.commit()
    items = (await search(viewer, "same"))["items"]
    assert [item["id"] for item in items] == [first, second]


@pytest.mark.parametrize(
    "words",
    [
        *["", " ", "'", "&", "|", "!", ":*", "a:*b", "(", "((a", '"', "\\", "%", "_", "<->", "-"],
        *["the", "or", "and or not", "😀", "مرحبا", "\u0301", "a" * 200, "x OR -y", "ü" * 200],
    ],
)
async def test_whatever_is_typed_is_no_error(
    films: dict[str, int], viewer: httpx.AsyncClient, words: str
) -> None:
    await search(viewer, words)
    if words.strip():
        answer = await viewer.get(f"{VIDEOS}/suggest", params={"q": words[:100]})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("c", ["Casablanca"]),
        ("cas", ["Casablanca"]),
        ("sun", ["Before Sunrise"]),
        ("the thi", ["The Third Man"]),
        ("MÜD", ["Der müde Tod"]),
        ("casablanka", ["Casablanca"]),
        ("vienna", []),  # in no title
        ("%", []),
        ("zzz", []),
    ],
)
async def test_titles_are_suggested_while_typing(
    films: dict[str, int], viewer: httpx.AsyncClient, typed: str, expected: list[str]
) -> None:
    answer = await viewer.get(f"{VIDEOS}/suggest", params={"q": typed})
    assert [item["title"] for item in answer.json()] == expected


async def test_uploader_is_nothing_to_search_for(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    number = (await editor.get("/api/v1/me")).json()["id"]
    await add_films(session, {"title": "Film", "uploaded_by": number})
    assert await titles(viewer, "editor@example.org") == []
    assert "editor@" not in (await viewer.get(VIDEOS)).text


async def test_changed_titles_are_found(
    films: dict[str, int], viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    assert await titles(viewer, "casablanca") == ["Casablanca"]
    await editor.patch(f"{VIDEOS}/{films['casablanca']}", json={"title": "Tangier"})
    assert await titles(viewer, "tangier") == ["Tangier"]
    assert await titles(viewer, "casablanca", limit=5) == []
