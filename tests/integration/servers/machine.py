"""What the machine takes from the tests: time in which they and their servers could have run and did not."""
import os
import pathlib
import time

PROC = pathlib.Path("/proc")


def _family():
    """This process and all that descend from it."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue  # it has just ended
    found, new = set(), {os.getpid()}
    while new:
        found |= new
        new = {pid for pid, parent in parents.items() if parent in new}
    return found


def _waited():
    """thread -> seconds in which it was ready to run and had to wait for a processor (proc(5), schedstat)."""
    found = {}
    for pid in _family():
        try:
            for task in (PROC / str(pid) / "task").iterdir():
                found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            continue
    return found


def _stolen():
    """Seconds in which a processor of this machine was another machine's."""
    try:
        return int(PROC.joinpath("stat").read_text().split("\n", 1)[0].split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0  # it does not say


class Waits:
    """From now on. Who measures how long something takes allows for it: a promise of 100 ms is not broken by those who wait for
    a processor. On a machine that does nothing else it is next to nothing."""

    def __init__(self):
        self.waited, self.stolen = _waited(), _stolen()

    def seconds(self):
        """The longest that one thread had to wait, and twice, for what it waits for may have waited, too."""
        longest = max((seconds - self.waited.get(thread, 0) for thread, seconds in _waited().items()), default=0)
        return _stolen() - self.stolen + 2 * longest


class Stopwatch:
    """Seconds since it was made, but for those that the machine took."""

    def __init__(self):
        self.waits, self.began = Waits(), time.monotonic()

    def seconds(self):
        elapsed = time.monotonic() - self.began
        return max(0.0, elapsed - self.waits.seconds())
