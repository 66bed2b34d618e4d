"""Format DASH manifests (MPD, ISO/IEC 23009-1) over CMAF segments that are numbered from 0."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

# Segments are addressed by number, and the manifest is complete: ISO on-demand would need a sidx.
PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
ROLE = "urn:mpeg:dash:role:2011"
CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
AUDIO_PURPOSE = "urn:tva:metadata:cs:AudioPurposeCS:2007"
FOR_VISUALLY_IMPAIRED = "1"


class SegmentTimes(msgspec.Struct, frozen=True):
    """Segments of a representation in a period, in ticks of the timescale.

    `number` is that of the first one, `start` when it begins, `origin` when the period begins.
    """

    timescale: int
    init_uri: str
    number: int
    start: int
    origin: int
    durations: Sequence[int]


class Representation(msgspec.Struct, frozen=True):
    """One quality of an adaptation set; `bandwidth` is its peak in bits per second.

    Its segments are numbered below the URI `base`; without `times`, `base` is the whole file.
    """

    id: str
    base: str
    bandwidth: int
    codecs: str = ""
    width: int = 0
    height: int = 0
    times: SegmentTimes | None = None


class AdaptationSet(msgspec.Struct, frozen=True):
    """Representations between which players change by themselves.

    `kind` is video, audio or text, `roles` are those of ISO/IEC 23009-1 (urn:mpeg:dash:role:2011).
    """

    kind: str
    mime_type: str
    representations: Sequence[Representation]
    language: str = ""
    label: str = ""
    roles: Sequence[str] = ()
    frame_rate: Fraction | None = None
    channels: int = 0
    is_described: bool = False


class Period(msgspec.Struct, frozen=True):
    """A part of the film with one initialisation section per representation, in seconds."""

    start: Fraction | float
    duration: Fraction | float
    sets: Sequence[AdaptationSet]


def manifest(
    periods: Sequence[Period], *, duration: float, buffer_seconds: float, base: str
) -> str:
    """Format a static MPD.

    `base` is the prefix of all URIs. It is repeated in each representation, because FFmpeg ignores
    a BaseURL of the whole manifest that is relative.
    """
    root = Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "profiles": PROFILE,
            "type": "static",
            "mediaPresentationDuration": _duration(duration),
            "minBufferTime": _duration(buffer_seconds),
        },
    )
    for number, period in enumerate(periods):
        attributes = {
            "id": str(number),
            "start": _duration(period.start),
            "duration": _duration(period.duration),
        }
        element = SubElement(root, "Period", attributes)
        for index, found in enumerate(period.sets):
            _add_set(element, index, found, base)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_set(period: Element, index: int, found: AdaptationSet, base: str) -> None:
    attributes = {
        "id": str(index),
        "contentType": found.kind,
        "mimeType": found.mime_type,
        "lang": found.language,
        "frameRate": _rate(found.frame_rate) if found.frame_rate else "",
    }
    if found.kind != "text":
        # All segments begin with a key frame, at the same times in every representation.
        attributes |= {"segmentAlignment": "true", "startWithSAP": "1"}
    kept = {name: value for name, value in attributes.items() if value}
    element = SubElement(period, "AdaptationSet", kept)
    # The schema wants this order of children.
    if found.is_described:
        _describe(element, "Accessibility", AUDIO_PURPOSE, FOR_VISUALLY_IMPAIRED)
    for role in found.roles:
        _describe(element, "Role", ROLE, role)
    if found.label:
        SubElement(element, "Label").text = found.label
    for representation in found.representations:
        added = _add_representation(element, representation)
        if found.channels:
            _describe(added, "AudioChannelConfiguration", CHANNELS, str(found.channels))
        SubElement(added, "BaseURL").text = f"{base}{representation.base}"
        if representation.times is not None:
            _add_segments(added, representation.times)


def _add_representation(parent: Element, found: Representation) -> Element:
    attributes = {
        "id": found.id,
        "bandwidth": str(found.bandwidth),
        "codecs": found.codecs,
        "width": str(found.width or ""),
        "height": str(found.height or ""),
    }
    kept = {name: value for name, value in attributes.items() if value}
    return SubElement(parent, "Representation", kept)


def _add_segments(representation: Element, times: SegmentTimes) -> None:
    attributes = {
        "timescale": str(times.timescale),
        "presentationTimeOffset": str(times.origin),
        "initialization": times.init_uri,
        "media": "$Number%05d$.m4s",
        "startNumber": str(times.number),
    }
    template = SubElement(representation, "SegmentTemplate", attributes)
    timeline = SubElement(template, "SegmentTimeline")
    first = True
    for duration, count in _repeated(times.durations):
        repeats = {"d": str(duration)} | ({"r": str(count - 1)} if count > 1 else {})
        SubElement(timeline, "S", ({"t": str(times.start)} if first else {}) | repeats)
        first = False


def _repeated(durations: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each duration, and how often it follows itself."""
    return ((duration, len(list(run))) for duration, run in groupby(durations))


def _describe(parent: Element, name: str, scheme: str, value: str) -> None:
    SubElement(parent, name, {"schemeIdUri": scheme, "value": value})


def _duration(seconds: Fraction | float) -> str:
    """A duration as ISO 8601, to the microsecond."""
    return f"PT{float(seconds):.6f}".rstrip("0").rstrip(".") + "S"


def _rate(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}" if rate.denominator > 1 else str(rate.numerator)
