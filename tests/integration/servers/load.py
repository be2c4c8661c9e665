"""Many connections that ask at the same time: what each asked, what came back, and when."""
import heapq
import selectors
import socket
import threading
import time
from dataclasses import dataclass

from .policy import encode

# How long a connection that was refused or closed waits before it comes back.
RETURN_S = 0.02


@dataclass
class Asked:
    """One request; `action` is None when no answer has come."""
    server: int
    values: dict
    sent: float
    answered: float = 0.0
    action: str | None = None
    tries: int = 1

    @property
    def seconds(self):
        return self.answered - self.sent

    @property
    def is_admitted(self):
        return self.action == "DUNNO"


class Connection:
    """One of them: asks, waits for the answer, pauses. When the server closes it comes back and asks the same again, as
    Postfix does."""

    def __init__(self, load, server):
        self.load = load
        self.server = server
        self.socket = None
        self.received = b""
        self.asked = None

    def connect(self):
        try:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(self.load.addresses[self.server]))
        except OSError:
            self.load.refused += 1
            self.come_back()
            return
        self.load.selector.register(self.socket, selectors.EVENT_READ, self)

    def close(self):
        if self.socket in self.load.selector.get_map():
            self.load.selector.unregister(self.socket)
        self.socket.close()
        self.socket, self.received = None, b""

    def come_back(self):
        self.close()
        self.load.later(RETURN_S, self)

    def go_on(self):
        """It has paused long enough."""
        if self.asked is None:
            values = self.load.next_request()
            if values is None:
                return
            self.asked = Asked(self.server, values, time.monotonic())
            self.load.asked.append(self.asked)
        if self.socket is None:
            self.connect()
        if self.socket is None:
            return
        try:
            self.socket.sendall(encode(self.asked.values))
        except OSError:
            self.lost()

    def lost(self):
        """Closed with a request under way: that is not what a server does that is well."""
        self.load.lost += 1
        self.asked.tries += 1
        self.come_back()

    def readable(self):
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            if self.asked is not None:
                self.lost()
            else:
                self.close()  # between two requests: it pauses anyway
            return
        self.received += data
        if self.received.endswith(b"\n\n"):
            self.asked.answered = time.monotonic()
            self.asked.action = self.received.decode("ascii").strip().removeprefix("action=")
            self.asked, self.received = None, b""
            self.load.later(self.load.pause, self)


class Load:
    """Runs from start() to finish(), or in run() until `requests` are used up. `requests` yields attributes;
    `addresses` are unix sockets, the connections are spread over them in turn."""

    def __init__(self, addresses, connections, requests, pause=0.0):
        self.addresses = addresses
        self.requests = iter(requests)
        self.pause = pause
        self.asked = []
        self.refused = 0  # connections that could not be made
        self.lost = 0  # connections closed with a request under way
        self.selector = selectors.DefaultSelector()
        self.waiting = []
        self.turn = 0
        self.ends_at = None
        self.thread = None
        self.connections = [Connection(self, number % len(addresses)) for number in range(connections)]
        for connection in self.connections:
            self.later(0, connection)

    def later(self, seconds, connection):
        self.turn += 1
        heapq.heappush(self.waiting, (time.monotonic() + seconds, self.turn, connection))

    def next_request(self):
        return next(self.requests, None) if self.ends_at is None else None

    def is_busy(self):
        return any(connection.asked for connection in self.connections)

    def run(self, timeout=600.0):
        """Until there is nothing to ask any more and all is answered."""
        last = time.monotonic() + timeout
        while (self.waiting or self.is_busy()) and time.monotonic() < min(last, self.ends_at or last):
            if self.ends_at is not None and not self.is_busy():
                break
            pause = self.waiting[0][0] - time.monotonic() if self.waiting else 0.1
            for key, _ in self.selector.select(max(0, min(pause, 0.1))):
                key.data.readable()
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                heapq.heappop(self.waiting)[2].go_on()
        for connection in self.connections:
            if connection.socket is not None:
                connection.socket.close()
        self.selector.close()
        return self

    def start(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def finish(self, patience=60.0):
        """Asks nothing new, waits for the answers that are due."""
        self.ends_at = time.monotonic() + patience
        self.thread.join()
        return self

    # ---- what it found ----

    @property
    def unanswered(self):
        return [asked for asked in self.asked if asked.action is None]

    def slowest_ms(self):
        return 1000 * max(asked.seconds for asked in self.asked if asked.action is not None)

    def quantile_ms(self, share):
        times = sorted(asked.seconds for asked in self.asked if asked.action is not None)
        return 1000 * times[int(share * (len(times) - 1))]

    def admitted_by(self, attribute):
        """value -> how many of its requests were admitted."""
        found = {}
        for asked in self.asked:
            value = asked.values[attribute]
            found[value] = found.get(value, 0) + asked.is_admitted
        return found
