"""Several servers that are started together and end together."""
import contextlib


class Site:
    """A subclass has start(started, ...), which puts the end of each server it has started on that contextlib.ExitStack. A start
    that fails ends what it has started."""

    def __init__(self, *arguments):
        self.ended = contextlib.ExitStack()
        with contextlib.ExitStack() as started:
            self.start(started, *arguments)
            self.ended = started.pop_all()

    def stop(self):
        self.ended.close()
