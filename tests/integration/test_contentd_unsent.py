"""A verdict that the MTA does not take: the message comes again, and nothing says that it was accepted."""
import pytest

from servers.filter import Filter
from servers.milter_client import MilterClient
from servers.process import wait_for

pytestmark = pytest.mark.sanitized


@pytest.fixture
def contentd(workdir, request):
    daemon = Filter(workdir / request.node.name[:20], "[rule mark]\nthen = add_header X-Marked: yes\n")
    yield daemon
    daemon.stop()


def decision(contentd):
    return wait_for(contentd.decisions, "a decision is logged")[-1]


def test_a_change_that_the_mta_does_not_allow(contentd):
    with MilterClient(contentd.unix, actions=0) as mta:
        last, changes = mta.start().message()
    assert last.command == "y" and last.texts[0].startswith("451 "), last
    assert not changes
    assert "verdict=tempfail" in decision(contentd) and "sent=no" in decision(contentd)


def test_one_that_it_allows(contentd):
    with MilterClient(contentd.unix) as mta:
        last, changes = mta.start().message()
    assert last.command in "ac" and [change.command for change in changes], last
    assert "verdict=accept" in decision(contentd) and "sent=" not in decision(contentd)
