"""DASH manifests, element by element."""

from fractions import Fraction
from xml.etree import ElementTree

from videoflix.playback.dash import AdaptationSet, Period, Representation, SegmentTimes, manifest

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"


def parsed(periods: list[Period], base: str = "") -> ElementTree.Element:
    text = manifest(periods, duration=9.5, buffer_seconds=4, base=base)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<MPD ')
    return ElementTree.fromstring(text)


def children(element: ElementTree.Element) -> list[str]:
    return [child.tag.removeprefix(NAMESPACE) for child in element]


def test_segments_are_numbered_on_a_timeline() -> None:
    times = SegmentTimes(24_000, "init-3.mp4", 7, 96_000, 95_000, (96_096, 96_096, 96_096, 500))
    video = Representation("720p", "v/", 900, "avc1.64001f", 1280, 720, times)
    found = AdaptationSet("video", "video/mp4", [video], frame_rate=Fraction(24_000, 1001))
    root = parsed([Period(0, 9.5, [found])], "play/<t>/")
    assert root.attrib["mediaPresentationDuration"] == "PT9.5S"
    period = root[0]
    assert (period.attrib["start"], period.attrib["duration"]) == ("PT0S", "PT9.5S")
    assert period[0].attrib["frameRate"] == "24000/1001"
    representation = period[0][0]
    assert representation.attrib == {
        "id": "720p", "bandwidth": "900", "codecs": "avc1.64001f", "width": "1280", "height": "720",
    }  # fmt: skip
    base, template = representation
    assert base.text == "play/<t>/v/"
    assert template.attrib == {
        "timescale": "24000",
        "presentationTimeOffset": "95000",
        "initialization": "init-3.mp4",
        "media": "$Number%05d$.m4s",
        "startNumber": "7",
    }
    assert [entry.attrib for entry in template[0]] == [
        {"t": "96000", "d": "96096", "r": "2"},
        {"d": "500"},
    ]


def test_audio_and_subtitles_are_described() -> None:
    sound = AdaptationSet(
        "audio", "audio/mp4", [Representation("audio", "a/", 128)], "de", "Für & <Blinde>",
        ["alternate"], channels=6, is_described=True,
    )  # fmt: skip
    text = AdaptationSet("text", "text/vtt", [Representation("t", "t.vtt", 1)], roles=["subtitle"])
    period = parsed([Period(0, 9.5, [sound, text])])[0]
    assert children(period[0]) == ["Accessibility", "Role", "Label", "Representation"]
    assert (period[0].attrib["lang"], period[0][2].text) == ("de", "Für & <Blinde>")
    channels = period[0][3][0]
    assert channels.attrib["value"] == "6"
    assert "lang" not in period[1].attrib
    assert children(period[1][1]) == ["BaseURL"]
