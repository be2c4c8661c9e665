"""The MTA's side of the milter protocol, byte by byte: any offer, any order, any packet."""
import socket
import struct

from .process import connected

# Actions (SMFIF_*) and steps (SMFIP_*) of protocol 6.
ADDHDRS, CHGBODY, ADDRCPT, DELRCPT, CHGHDRS, QUARANTINE, CHGFROM, ADDRCPT_PAR, SETSYMLIST = (1 << n for n in range(9))
ALL_ACTIONS = 0x1FF
NR_HDR, NOUNKNOWN, NODATA, SKIP, RCPT_REJ = 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11
NR_CONN, NR_HELO, NR_MAIL, NR_RCPT, NR_DATA, NR_UNKN, NR_EOH, NR_BODY, HDR_LEADSPC = (1 << n for n in range(12, 21))
ALL_STEPS = 0x1FFFFF
# What each version of the protocol knew.
OFFERS = {2: (0x3F, 0x7F), 3: (0x3F, 0x17F), 4: (0x3F, 0x37F), 6: (ALL_ACTIONS, ALL_STEPS)}
NO_REPLY = {"C": NR_CONN, "H": NR_HELO, "M": NR_MAIL, "R": NR_RCPT, "T": NR_DATA, "U": NR_UNKN, "L": NR_HDR, "N": NR_EOH,
            "B": NR_BODY}
NOT_WANTED = {"C": 1, "H": 2, "M": 4, "R": 8, "B": 16, "L": 32, "N": 64, "U": NOUNKNOWN, "T": NODATA}
CHUNK = 65535


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command.encode() + data


def strings(*texts):
    return b"".join((text if isinstance(text, bytes) else text.encode()) + b"\0" for text in texts)


class Reply:
    """One packet of the milter: `command` is SMFIR_*, a letter."""

    def __init__(self, command, data):
        self.command = command
        self.data = data

    @property
    def texts(self):
        return [text.decode("utf-8", "replace") for text in self.data.split(b"\0")[:-1]]

    def __repr__(self):
        return f"{self.command}{self.data!r}"


class MilterClient:
    """`address` is a path or (host, port). Negotiates unless version is None; then knows what the milter wants."""

    def __init__(self, address, version=6, actions=None, steps=None, timeout=60.0):
        self.socket = connected(address, timeout)
        if self.socket.family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.steps = self.actions = 0
        self.macros = {}
        if version is not None:
            offered = OFFERS[version]
            self.negotiate(version, offered[0] if actions is None else actions, offered[1] if steps is None else steps)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # ---- packets ----

    def send(self, data):
        self.socket.sendall(data)

    def command(self, command, *texts):
        self.send(packet(command, strings(*texts)))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("the milter has closed the connection")
            data += more
        return data

    def read(self):
        """The next packet."""
        size = struct.unpack(">I", self.exactly(4))[0]
        data = self.exactly(size)
        return Reply(chr(data[0]), data[1:])

    def is_closed(self):
        """Waits for the end of the connection; what comes before it is thrown away. False: it does not come."""
        try:
            while self.socket.recv(CHUNK):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    # ---- the protocol ----

    def negotiate(self, version, actions, steps):
        self.send(packet("O", struct.pack(">III", version, actions, steps)))
        reply = self.read()
        assert reply.command == "O", reply
        self.version, self.actions, self.steps = struct.unpack(">III", reply.data[:12])
        assert self.actions & ~actions == 0 and self.steps & ~steps == 0, "asks for what was not offered"
        rest = reply.data[12:]
        while rest:
            stage, end = struct.unpack(">I", rest[:4])[0], rest.index(b"\0", 4)
            self.macros[stage] = rest[4:end].decode().split()
            rest = rest[end + 1:]

    def step(self, command, data=b"", macros=None):
        """Sends a command unless it is not wanted; its reply, None when none is due."""
        if self.steps & NOT_WANTED.get(command, 0):
            return None
        if macros:
            self.send(packet("D", command.encode() + strings(*(text for pair in macros.items() for text in pair))))
        self.send(packet(command, data))
        if self.steps & NO_REPLY.get(command, 0):
            return None
        return self.read()

    def connect(self, name="client.example.net", address="198.18.0.1", port=40000, **macros):
        family = b"U" if address is None else b"6" if ":" in address else b"4"
        data = strings(name) + family
        if address is not None:
            data += struct.pack(">H", port) + strings(address)
        return self.step("C", data, {"j": "mx.example.org", **macros})

    def helo(self, name="client.example.net"):
        return self.step("H", strings(name))

    def mail(self, sender="<a@example.net>", *arguments, **macros):
        return self.step("M", strings(sender, *arguments), macros)

    def rcpt(self, recipient="<b@example.org>", *arguments, **macros):
        return self.step("R", strings(recipient, *arguments), macros)

    def header(self, name, value):
        return self.step("L", strings(name, (" " if self.steps & HDR_LEADSPC else "") + value))

    def headers_end(self, **macros):
        return self.step("N", b"", macros)

    def body(self, data):
        for at in range(0, len(data), CHUNK):
            reply = self.step("B", data[at:at + CHUNK])
        return reply if data else None

    def end(self, **macros):
        """[changes, the last word]"""
        replies = []
        reply = self.step("E", b"", macros)
        while reply.command not in "acrtdy":
            if reply.command != "p":
                replies.append(reply)
            reply = self.read()
        return [*replies, reply]

    def abort(self):
        self.send(packet("A"))

    def quit(self):
        self.send(packet("Q"))
        return self.is_closed()

    def start(self, **arguments):
        """Connect and HELO."""
        for reply in (self.connect(**arguments), self.helo()):
            assert reply is None or reply.command == "c", reply
        return self

    def message(self, sender="<a@example.net>", recipients=("<b@example.org>",), headers=(("Subject", "hello"),),
                body=b"hello\r\n", queue_id="4Xk2Lq"):
        """A whole message; the last packet first: (last word, changes). Ends early when it is refused."""
        macros = {"i": queue_id}
        steps = [lambda: self.mail(sender), *(lambda r=r: self.rcpt(r, **macros) for r in recipients),
                 lambda: self.step("T"), *(lambda h=h: self.header(*h) for h in headers),
                 lambda: self.headers_end(**macros), lambda: self.body(body)]
        for step in steps:
            reply = step()
            if reply is not None and reply.command != "c":
                return reply, []
        *changes, last = self.end(**macros)
        return last, changes


def inserted(changes, name):
    """The values of fields that are inserted (SMFIR_INSHEADER), in the order of the message."""
    found = []
    for change in changes:
        if change.command == "i":
            field, value = change.data[4:].split(b"\0")[:2]
            if field.decode() == name:
                found.insert(0, value.decode())
    return found
