"""A way to a server that cuts its answers: all goes to it, and so many bytes come back."""
import contextlib
import socket
import threading


class Cutter:
    """Listens on a port of loopback and passes on to `address`, as a [scanner] has it. After `most` bytes (None: no bound) of
    answer the client's side is closed, or hangs. `passed` counts what came back on the last connection."""

    def __init__(self, address):
        kind, _, rest = address.partition(":")
        self.target = rest if kind == "unix" else (rest.rpartition(":")[0], int(rest.rpartition(":")[2]))
        self.most, self.hangs, self.passed = None, False, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stopped = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self):
        return f"inet:127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET)
        there = threading.Thread(target=self.forward, args=(client, server), daemon=True)
        with client, server:
            with contextlib.suppress(OSError):
                server.connect(self.target)
                there.start()
                self.give_back(client, server)
            # Closed when nobody uses them any more: their numbers may be those of the next connection.
            for connection in (client, server):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            if there.ident is not None:
                there.join()

    def give_back(self, client, server):
        most, hangs, passed = self.most, self.hangs, 0  # they may be others by the end of this connection
        while most is None or passed < most:
            more = server.recv(65536 if most is None else most - passed)
            if not more:
                break
            passed += len(more)
            self.passed = passed  # before the client can have it
            client.sendall(more)
        if hangs:
            self.stopped.wait(5)
        # Not a reset: what was not read does not show that the answer was cut.
        client.shutdown(socket.SHUT_WR)
        self.stopped.wait(0 if most is None else 0.2)

    @staticmethod
    def forward(client, server):
        with contextlib.suppress(OSError):
            while more := client.recv(65536):
                server.sendall(more)
            server.shutdown(socket.SHUT_WR)

    def stop(self):
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # ends accept()
        self.listener.close()
