"""A milter that accepts everything, and calls a function at each step that it is told of: with what Postfix said so far."""
import contextlib
import socket
import socketserver
import struct
import threading


def texts(data):
    return [text.decode("utf-8", "replace") for text in data.split(b"\0")[:-1]]


def receive(connection):
    """(command, data) of one packet, or (None, b"") at the end."""
    head = b""
    while len(head) < 4:
        more = connection.recv(4 - len(head))
        if not more:
            return None, b""
        head += more
    left, data = struct.unpack(">I", head)[0], b""
    while len(data) < left:
        more = connection.recv(left - len(data))
        if not more:
            return None, b""
        data += more
    return data[:1].decode(), data[1:]


class Handler(socketserver.BaseRequestHandler):
    """One SMTP session."""

    def handle(self):
        known = {}
        with contextlib.suppress(ConnectionError):
            while True:
                command, data = receive(self.request)
                if command in (None, "Q"):
                    return
                if command == "O":  # all steps, no action
                    self.reply("O", struct.pack(">III", 6, 0, 0))
                elif command == "D":
                    pairs = texts(data[1:])
                    known.update({name.strip("{}"): value for name, value in zip(pairs[::2], pairs[1::2])})
                elif command not in ("A", "K"):
                    self.note(command, data, known)
                    self.server.on_step(command, known)
                    self.reply("c")

    @staticmethod
    def note(command, data, known):
        if command == "C":
            name, rest = data.split(b"\0", 1)
            if rest[:1] in (b"4", b"6"):
                known.update(connect_port=str(struct.unpack(">H", rest[1:3])[0]), connect_address=texts(rest[3:])[0])
        elif command == "M":
            known["sender"] = texts(data)[0]

    def reply(self, command, data=b""):
        self.request.sendall(struct.pack(">I", len(data) + 1) + command.encode() + data)


class WatchingMilter(socketserver.ThreadingTCPServer):
    """Runs until stop(). on_step(command, known): command is a letter of the protocol (T is DATA, N the end of the headers, E
    the end of the message), known are macros by name, `sender`, `connect_address` and `connect_port`."""
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, on_step):
        super().__init__(("127.0.0.1", 0), Handler)
        self.on_step = on_step
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
