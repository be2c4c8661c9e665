"""An SMTP server that takes everything and keeps it: where the private Postfix delivers to."""
import socketserver
import threading
from dataclasses import dataclass, field


@dataclass
class Message:
    sender: str
    recipients: list = field(default_factory=list)
    raw: bytes = b""  # as it came, dots unstuffed
    said: str = ""  # the parameters of MAIL

    @property
    def text(self):
        return self.raw.decode("utf-8", "replace")

    @property
    def headers(self):
        """(name, value) in order, folded lines joined."""
        head = self.text.split("\r\n\r\n", 1)[0].replace("\r\n\t", " ").replace("\r\n ", " ")
        return [tuple(line.split(": ", 1)) for line in head.split("\r\n") if ": " in line]


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def take_text(self):
        """None: the client has gone before its end."""
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return None
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def handle(self):
        self.server.clients += 1
        self.server.goes_on.wait()
        self.say("220 sink.example.org ESMTP")
        message = None
        while line := self.rfile.readline():
            command = line.decode("utf-8", "replace").strip()
            verb = command[:4].upper()
            address = command.partition("<")[2].partition(">")[0]
            if verb == "MAIL":
                message = Message(address, said=command.partition("> ")[2])
            elif verb == "RCPT":
                self.server.asked.append(address)
                if address in self.server.hanging:
                    self.rfile.read(1)  # until the client has had enough
                    return
                if address in self.server.deferred:
                    self.say("450 4.2.0 later")
                    continue
                message.recipients.append(address)
            elif verb == "DATA":
                self.say("354 go on")
                if (text := self.take_text()) is None:
                    return
                message.raw = text
                self.server.messages.append(message)
            if verb == "EHLO":
                self.say("250-sink.example.org\r\n250-8BITMIME\r\n250 SMTPUTF8")
            else:
                self.say("221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return


class Sink(socketserver.ThreadingTCPServer):
    """Listens from the start; `messages` grows. While `goes_on` is not set nobody is greeted; `clients` have come so far."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128  # with 5 some of those who come together would wait for seconds

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.messages, self.clients = [], 0
        # Recipients: in the order in which they were named; who is to come again; with whom nothing is said any more.
        self.asked, self.deferred, self.hanging = [], set(), set()
        self.port = self.server_address[1]
        self.goes_on = threading.Event()
        self.goes_on.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.goes_on.set()
        self.shutdown()
        self.server_close()

    def find(self, subject):
        """The messages with this subject."""
        return [message for message in self.messages if ("Subject", subject) in message.headers]
