"""What contentd and gatectl make of a quarantine's directory: old, damaged, large, with the daemon and without it."""
import pytest

from servers import kept_files
from servers.filter import Filter
from servers.process import wait_for

pytestmark = pytest.mark.sanitized

DAY_MS = 86400000


@pytest.fixture
def place(workdir, request):
    """An empty directory of one test's own."""
    path = workdir / request.node.name.replace("[", "-").replace("]", "")
    path.mkdir()
    return path


def test_what_looks_too_old_stays_while_the_clock_is_doubted(place):
    """The clock shows a time 40 days after contentd last ran: it may be wrong."""
    quarantine = place / "quarantine"
    kept = {kept_files.put(quarantine, time_ms=kept_files.now_ms() - 40 * DAY_MS) for _ in range(30)}
    kept_files.mark(quarantine, kept_files.now_ms() - 40 * DAY_MS)
    contentd = Filter(place, "")
    try:
        wait_for(lambda: "the system clock has jumped forward by 34560" in contentd.log, "the doubt is logged")
        assert contentd.metric("gatehouse_quarantine_expiry_paused") == 1
        assert contentd.metric("gatehouse_quarantine_clock_doubts_total") == 1
        listed = contentd.gatectl("quarantine", "list", "-n", "100")  # the keeper has looked for what is old before it answers
        assert {line.split()[0] for line in listed.stdout.splitlines()[1:]} == kept, listed
    finally:
        contentd.stop()
    assert {path.stem for path in quarantine.glob("*.json")} == kept


def test_what_is_too_old_goes_little_by_little(place):
    """contentd ran an hour ago: the clock is believed, and ten messages may go at once."""
    quarantine = place / "quarantine"
    old = [kept_files.put(quarantine, time_ms=kept_files.now_ms() - 40 * DAY_MS + n) for n in range(30)]
    fresh = kept_files.put(quarantine)
    kept_files.mark(quarantine, kept_files.now_ms() - DAY_MS // 24)
    contentd = Filter(place, "")
    try:
        wait_for(lambda: contentd.metric("gatehouse_quarantine_expired_total") == 10, "ten are removed")
        assert contentd.metric("gatehouse_quarantine_expiry_paused") == 0
        assert contentd.metric("gatehouse_quarantine_messages") == 21
    finally:
        contentd.stop()
    assert {path.stem for path in quarantine.glob("*.json")} == {*old[10:], fresh}
    assert (quarantine / ".lock").stat().st_mtime * 1000 > kept_files.now_ms() - DAY_MS // 24
