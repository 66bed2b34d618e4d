import msgspec


class Rung(msgspec.Struct, frozen=True):
    name: str
    width: int
    height: int
    max_bitrate: int


class Span(msgspec.Struct, frozen=True):
    index: int
    first_frame: int
    frame_count: int


class Plan(msgspec.Struct, frozen=True):
    frame_rate_num: int
    frame_rate_den: int
    frame_count: int
    segment_frames: int
    rungs: tuple[Rung, ...]
    spans: tuple[Span, ...]
    has_audio: bool

    @property
    def duration(self) -> float:
        return self.frame_count * self.frame_rate_den / self.frame_rate_num
