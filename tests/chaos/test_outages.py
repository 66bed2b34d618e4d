"""The database stops for a while under running jobs: nothing is lost, nothing done twice."""

from concurrent.futures import Future

import pytest

from chaos.outages import COUNT, LENGTHS, Outcome

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("seconds", LENGTHS)
def test_outage_loses_no_result(seconds: float, outages: dict[float, Future[Outcome]]) -> None:
    outcome = outages[seconds].result()
    assert outcome.effects == list(range(COUNT))
    assert outcome.executions == list(range(COUNT)), "a job was done again"
    assert outcome.resumed_after < 5
    assert set(outcome.states) <= {
        "chaos.work succeeded",
        "chaos.task succeeded",
        "chaos.minutely succeeded",
    }
