"""Rules for multivariant playlists: each fault alone, in a playlist that is correct otherwise."""

import pytest

from videoflix.media.conformance.m3u8 import parse
from videoflix.media.conformance.multivariant_rules import multivariant_rules

CORRECT = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="En",LANGUAGE="en",DEFAULT=YES,CHANNELS="2",URI="1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="De",LANGUAGE="de",DEFAULT=NO,CHANNELS="2",URI="2"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="En",LANGUAGE="en",DEFAULT=YES,CHANNELS="6",URI="3"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="De",LANGUAGE="de",DEFAULT=NO,CHANNELS="2",URI="2"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="t",NAME="En",LANGUAGE="en",URI="4"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001e,mp4a.40.2",\
RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="a",SUBTITLES="t"
v
#EXT-X-STREAM-INF:BANDWIDTH=990000,AVERAGE-BANDWIDTH=890000,CODECS="avc1.64001e,mp4a.40.2",\
RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="s",SUBTITLES="t"
v
#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=130000,CODECS="mp4a.40.2",AUDIO="a",\
SUBTITLES="t"
1
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,AVERAGE-BANDWIDTH=80000,CODECS="avc1.64001e",\
RESOLUTION=640x360,URI="k"
"""


def rules_of(text: str) -> list[str]:
    found = multivariant_rules(parse(text, "https://example.org/m.m3u8"), "m")
    return [f"{finding.severity.value} {finding.rule}" for finding in found]


def test_correct_playlist_has_no_findings() -> None:
    assert rules_of(CORRECT) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("BANDWIDTH=900000", "BANDWIDTH=x", "error bandwidth"),
        (",AVERAGE-BANDWIDTH=800000", "", "warning bandwidth"),
        ("RESOLUTION=640x360", "RESOLUTION=640", "error resolution"),
        (",RESOLUTION=640x360,FRAME-RATE", ",FRAME-RATE", "warning resolution"),
        (",FRAME-RATE=25.000", "", "warning frame-rate"),
        ('CODECS="avc1.64001e,mp4a.40.2",', "", "warning codecs"),
        ('GROUP-ID="a",NAME="De"', 'GROUP-ID="a",NAME="En"', "error media-name"),
        ('"De",LANGUAGE="de",DEFAULT=NO', '"De",LANGUAGE="fr",DEFAULT=NO', "error unequal-groups"),
        ("DEFAULT=NO", "DEFAULT=YES", "error media-default"),
        ("DEFAULT=YES", "DEFAULT=YES,AUTOSELECT=NO", "error media-default"),
        ("TYPE=SUBTITLES", "TYPE=TEXT", "error missing-group"),
        (',URI="4"', "", "error media-attributes"),
        (',CHANNELS="6"', "", "warning channels"),
        (',SUBTITLES="t"\n1', ',SUBTITLES="u"\n1', "error missing-group"),
        ("BANDWIDTH=140000", "BANDWIDTH=200000", "warning cellular"),
        (',URI="k"', "", "error i-frames"),
        ("#EXT-X-INDEPENDENT-SEGMENTS\n", "", "warning independent-segments"),
        ("#EXT-X-VERSION:7", "#EXT-X-VERSION:7\n#EXT-X-VERSION:6", "error repeated-tag"),
        ("#EXT-X-VERSION:7", "#EXT-X-VERSION:seven", "error version"),
        ("#EXT-X-VERSION:7", "#EXT-X-START:PRECISE=YES", "error start"),
        ("#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:4", "error playlist-kind"),
        ('NAME="En",', 'NAME="En', "error attributes"),
        ('AUDIO="a",SUBTITLES="t"\nv\n', 'AUDIO="a",SUBTITLES="t"\n', "error variant-uri"),
    ],
)
def test_fault_is_found(old: str, new: str, expected: str) -> None:
    assert old in CORRECT
    assert expected in rules_of(CORRECT.replace(old, new, 1))
