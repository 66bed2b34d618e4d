"""Which bytes a Range header asks for (RFC 9110, section 14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from videoflix.platform.http.ranges import byte_range

SIZE = 100


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(100)),
        ("bytes=5-9", range(5, 10)),
        ("bytes=99-", range(99, 100)),
        ("bytes=0-98", range(99)),
        ("bytes=0-99", range(100)),
        ("bytes=0-100", range(100)),
        ("bytes=50-1000", range(50, 100)),
        ("bytes=50-99999999999999999999999", range(50, 100)),
        ("bytes=007-0008", range(7, 9)),
        ("bytes=-1", range(99, 100)),
        ("bytes=-100", range(100)),
        ("bytes=-1000", range(100)),
        ("bytes=7-7", range(7, 8)),
        ("Bytes=7-7", range(7, 8)),  # units are case-insensitive
        (" bytes=7-7\t", range(7, 8)),
        ("bytes=,7-7, ,", range(7, 8)),  # empty elements of a list are ignored
    ],
)
def test_one_range(header: str, expected: range) -> None:
    assert byte_range(header, SIZE) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5",
        "bytes=8-7",
        "bytes=300-200",
        "bytes=1 - 2",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=1-2x",
        "bytes=١-٢",
        "bytes=1-2;3-4",
        "bytes=0-1,3-4",
        "bytes =0-1",
        "items=0-1",
        f"bytes={'9' * 5_000}-",
    ],
)
def test_the_whole_instead(header: str) -> None:
    assert byte_range(header, SIZE) is None


@pytest.mark.parametrize(
    "header",
    ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=1000-", "bytes=99999999999999999999-"],
)
def test_unsatisfiable_ranges_are_empty(header: str) -> None:
    found = byte_range(header, SIZE)
    assert found is not None
    assert not found


@given(
    first=some.integers(0, 120) | some.none(),
    last=some.integers(0, 120) | some.none(),
    size=some.integers(1, 100),
)
def test_a_range_selects_what_its_positions_name(
    first: int | None, last: int | None, size: int
) -> None:
    found = byte_range(
        f"bytes={'' if first is None else first}-{'' if last is None else last}", size
    )
    if first is None:
        expected = None if last is None else list(range(size))[size - min(last, size) :]
    elif last is not None and last < first:
        expected = None
    else:
        expected = list(range(size))[first : None if last is None else last + 1]
    assert (None if found is None else list(found)) == expected
