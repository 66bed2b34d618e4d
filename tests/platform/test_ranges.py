"""Which bytes a Range header asks for (RFC 9110, section 14)."""

import pytest

from videoflix.platform.ranges import RangeUnsatisfiable, wanted_range

SIZE = 100


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=5-9", (5, 10)),
        ("bytes=99-", (99, 100)),
        ("bytes=0-98", (0, 99)),
        ("bytes=0-99", (0, 100)),
        ("bytes=0-100", (0, 100)),
        ("bytes=50-1000", (50, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-100", (0, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=7-7", (7, 8)),
        ("bytes=8-7", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("", None),
    ],
)
def test_ranges(header: str, expected: tuple[int, int] | None) -> None:
    assert wanted_range(header, SIZE) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=1000-"])
def test_ranges_behind_the_end_are_refused(header: str) -> None:
    with pytest.raises(RangeUnsatisfiable) as refusal:
        wanted_range(header, SIZE)
    assert refusal.value.answer_headers()["Content-Range"] == f"bytes */{SIZE}"
