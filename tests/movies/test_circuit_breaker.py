"""The circuit breaker by its clock."""

from videoflix.movies.circuit_breaker import CircuitBreaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(failures=3, pause=10, clock=clock)
    for _ in range(3):
        assert breaker.wait() == 0
        breaker.failed()
    return breaker


def test_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(failures=3, pause=10)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.wait() == 0
    assert opened(Clock()).wait() == 10


def test_one_question_tries_after_the_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    assert breaker.wait() == 0
    assert breaker.wait() > 0, "the others wait for what comes of it"
    breaker.succeeded()
    assert breaker.wait() == breaker.wait() == 0


def test_pause_begins_again_when_the_try_fails() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    assert breaker.wait() == 0
    breaker.failed()
    assert breaker.wait() == 10


def test_try_that_nobody_waited_for_is_made_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 10
    assert breaker.wait() == 0
    breaker.cancelled()
    assert breaker.wait() == 0
