"""Scanners of every kind that answer as they are told: rightly, or wrongly in every way there is.

What they find is in the message: EICAR is malware, "fake-score=7.5" a score. A milter refuses malware and adds X-Seen."""
import contextlib
import json
import random
import re
import socket
import struct
import threading

from .clamd import EICAR
from .process import free_port

# What may go wrong in one conversation; "good" is none of them.
FAULTS = ["close", "reset", "hang", "silent", "midstream", "half", "garbage", "cut", "length", "huge", "slow", "stray",
          "contradiction"]
KINDS = ["clamd", "rspamd", "spamd", "icap", "milter"]
PAUSE_S = 30  # of one that hangs, unless it is stopped before


class Gone(Exception):
    """The client has ended the conversation."""


class Conversation:
    """One connection: bytes in, bytes out."""

    def __init__(self, connection):
        self.connection = connection
        self.seen = b""

    def more(self):
        data = self.connection.recv(65536)
        if not data:
            raise Gone
        self.seen += data

    def until(self, end, start=0):
        """The offset behind the next `end`."""
        while (at := self.seen.find(end, start)) < 0:
            start = max(start, len(self.seen) - len(end) + 1)
            self.more()
        return at + len(end)

    def exactly(self, size):
        while len(self.seen) < size:
            self.more()


def take_clamd(talk, fault):
    at = talk.until(b"zINSTREAM\0")
    parts = []
    while True:
        talk.exactly(at + 4)
        size = struct.unpack(">I", talk.seen[at:at + 4])[0]
        if size == 0:
            return b"".join(parts)
        if fault == "midstream":
            raise Gone
        talk.exactly(at + 4 + size)
        parts.append(talk.seen[at + 4:at + 4 + size])
        at += 4 + size


def take_http(talk, fault):
    at = talk.until(b"\r\n\r\n")
    if fault == "midstream":
        raise Gone
    if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", talk.seen[:at]):
        talk.exactly(at + int(length[1]))
    else:
        talk.until(b"\r\n0\r\n\r\n", at)
    return talk.seen[at:]


def take_icap(talk, fault):
    at = talk.until(b"\r\n\r\n")
    if fault == "midstream":
        raise Gone
    talk.until(b"\r\n0\r\n\r\n", at)
    return talk.seen


def take_milter(talk, fault):
    at = 0
    while True:
        talk.exactly(at + 4)
        size = struct.unpack(">I", talk.seen[at:at + 4])[0]
        talk.exactly(at + 4 + size)
        command = talk.seen[at + 4:at + 5]
        at += 4 + size
        if command == b"O":  # all actions, no reply before the end
            talk.connection.sendall(b"\0\0\0\x0dO\0\0\0\6\0\0\0\x3f\0\x0d\xf0\x80")
        elif command == b"E":
            return talk.seen
        elif command == b"Q":
            raise Gone
        elif fault == "midstream":
            raise Gone


def answer_clamd(is_virus, _):
    return b"stream: Fake.Eicar FOUND\0" if is_virus else b"stream: OK\0"


def answer_rspamd(_, score):
    text = json.dumps({"is_skipped": False, "score": score, "required_score": 100.0, "action": "no action", "symbols": {},
                       "messages": {}, "message-id": "undef"}).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%s" % (len(text), text)


def answer_spamd(_, score):
    return b"SPAMD/1.1 0 EX_OK\r\nContent-length: 12\r\nSpam: False ; %.1f / 100.0\r\n\r\na report.\n\n\n" % score


def answer_icap(is_virus, _):
    if is_virus:
        return b"ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Fake.Eicar;\r\n" \
               b"Encapsulated: res-hdr=0, res-body=49\r\n\r\n"
    return b'ICAP/1.0 204 Unmodified\r\nISTag: "x"\r\n\r\n'


def answer_milter(is_virus, _):
    packets = [b"y550 5.7.1 fake malware\0"] if is_virus else [b"hX-Seen\0 yes\0", b"c"]
    return b"".join(struct.pack(">I", len(packet)) + packet for packet in packets)


TAKE = {"clamd": take_clamd, "rspamd": take_http, "spamd": take_http, "icap": take_icap, "milter": take_milter}
ANSWER = {"clamd": answer_clamd, "rspamd": answer_rspamd, "spamd": answer_spamd, "icap": answer_icap, "milter": answer_milter}
# A whole answer that says two things, or another one after it.
CONTRADICTIONS = {
    "clamd": b"stream: OK\0stream: Fake.Eicar FOUND\0",
    "rspamd": b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Length: 2\r\n\r\n{\"score\": 1}",
    "spamd": b"SPAMD/1.1 0 EX_OK\r\nContent-length: 12\r\nContent-length: 13\r\nSpam: False ; 1.0 / 5.0\r\nSpam: True ; 9.0 / 5.0\r\n"
             b"\r\na report.\n\n\n",
    "icap": b"ICAP/1.0 204 Unmodified\r\n\r\nICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Eicar;\r\n\r\n",
    "milter": b"\0\0\0\1c\0\0\0\1r",
}


def wrong_length(kind, answer):
    """The same answer, with another length than it has."""
    if kind == "clamd":
        return answer[:-1]  # has none but its end
    if kind == "milter":
        return b"\0\0\0\0" + answer
    if kind == "icap":
        return b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nffffffffffffffff1\r\n"
    return re.sub(rb"(?i)(content-length: )(\d+)", lambda m: m[1] + str(int(m[2]) + 1).encode(), answer)


class FakeScanner:
    """Listens on a port of loopback until stop(), its own while connections are refused, too. choose() says of each conversation
    how it goes: "good", or one of FAULTS."""

    def __init__(self, kind, choose=lambda: "good"):
        self.kind, self.choose = kind, choose
        self.stopped = threading.Event()
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.conversations = 0
        self.start()

    @property
    def address(self):
        return f"inet:127.0.0.1:{self.port}"

    def start(self):
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(listener.accept()[0],), daemon=True).start()

    def refuse(self):
        """Connections are refused from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept_again(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.start()

    def stop(self):
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.refuse()

    # ---- one conversation ----

    def serve(self, connection):
        fault = self.choose()
        self.conversations += 1
        connection.settimeout(PAUSE_S)
        with connection, contextlib.suppress(OSError, Gone):
            self.converse(connection, fault)

    def converse(self, connection, fault):
        if fault == "close":
            return
        if fault == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if fault == "hang":
            self.stopped.wait(PAUSE_S)
            return
        talk = Conversation(connection)
        message = TAKE[self.kind](talk, fault)
        found = re.search(rb"fake-score=([\d.]+)", message)
        answer = ANSWER[self.kind](EICAR.encode() in message, float(found[1]) if found else 0.0)
        self.give(connection, fault, answer)
        # Not a reset: the client has closed, or reads what there is.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    def give(self, connection, fault, answer):
        chosen = random.Random()
        if fault == "silent":
            self.stopped.wait(PAUSE_S)
        elif fault == "half":
            connection.shutdown(socket.SHUT_WR)
            self.stopped.wait(PAUSE_S)
        elif fault == "garbage":
            connection.sendall(chosen.randbytes(chosen.randrange(1, 400)))
        elif fault == "cut":
            # Without the line ends at the end of some an answer is whole, too.
            connection.sendall(answer[:chosen.randrange(len(answer.rstrip(b"\r\n\0")))])
        elif fault == "length":
            connection.sendall(wrong_length(self.kind, answer))
        elif fault == "huge":
            block = chosen.randbytes(65536)
            for _ in range(4096):
                connection.sendall(block)
        elif fault == "slow":
            for at in range(len(answer)):
                connection.sendall(answer[at:at + 1])
                self.stopped.wait(0.3)
        elif fault == "open":  # no fault of kinds whose answers say where they end
            connection.sendall(answer)
            self.stopped.wait(PAUSE_S)
        elif fault == "stray":
            connection.sendall(answer + b"x")
        elif fault == "contradiction":
            connection.sendall(CONTRADICTIONS[self.kind])
        elif fault != "midstream":
            connection.sendall(answer)
