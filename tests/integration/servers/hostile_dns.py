"""A name server on loopback, UDP and TCP, whose answers are up to the test: any bytes, any number of them, late or never."""
import socketserver
import struct
import threading
import time

from dnslib import QTYPE, RCODE, RR, DNSRecord

from .dns import rdata
from .process import held_port


class Query:
    """One question that came."""

    def __init__(self, data, is_tcp, ttl=0):
        self.ttl = ttl
        self.record = DNSRecord.parse(data)
        self.name = b".".join(self.record.q.qname.label).decode("latin-1").lower()
        self.type = QTYPE[self.record.q.qtype]
        self.is_tcp = is_tcp

    def reply(self, rows=(), rcode=RCODE.NOERROR):
        """A proper answer: `rows` are (type, data), the owner is the name asked for."""
        reply = self.record.reply()
        reply.header.rcode = rcode
        for kind, value in rows:
            reply.add_answer(RR(self.record.q.qname, getattr(QTYPE, kind), rdata=rdata(kind, value), ttl=self.ttl))
        return reply

    def packet(self, rows=(), rcode=RCODE.NOERROR):
        """The same as bytes; over UDP cut off, with TC set, when it is long."""
        packet = self.reply(rows, rcode).pack()
        if len(packet) > 1200 and not self.is_tcp:
            empty = self.reply()
            empty.header.tc = 1
            packet = empty.pack()
        return packet


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        try:
            for packet in self.server.owner.answer(data, False):
                sock.sendto(packet, self.client_address)
        except OSError:
            pass  # who asked does not wait any more


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while len(head := self.rfile.read(2)) == 2:
                for packet in self.server.owner.answer(self.rfile.read(struct.unpack("!H", head)[0]), True):
                    self.wfile.write(struct.pack("!H", len(packet)) + packet)
        except OSError:
            pass


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    allow_reuse_address = True
    max_packet_size = 65535


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class HostileDns:
    """`names` is what it knows: name -> function of the Query that yields the packets to send. Other names do not exist;
    those below a name `*.NAME` are answered by that. `asked` are the different (name, type) that came. While `answers` is
    false nothing is answered, not even that it is there."""

    def __init__(self, names=None):
        self.names = names or {}
        self.asked = set()
        self.answers = True
        self.ttl = 0  # of what names say properly
        self.servers = []
        self.port, self.hold_of_port = held_port()
        self.start()

    @property
    def resolver(self):
        return f"127.0.0.1@{self.port}"

    def start(self):
        """Also again, on the same port."""
        self.servers = self.bind(self.port)
        for server in self.servers:
            server.owner = self
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @staticmethod
    def bind(port):
        tcp = TcpServer(("127.0.0.1", port), Tcp)
        try:
            return [tcp, UdpServer(("127.0.0.1", port), Udp)]
        except OSError:
            tcp.server_close()
            raise

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.servers = []

    def find(self, name):
        while name and name not in self.names:
            name = name.partition(".")[2]
            if f"*.{name}" in self.names:
                return self.names[f"*.{name}"]
        return self.names.get(name)

    def answer(self, data, is_tcp):
        query = Query(data, is_tcp, self.ttl)
        if not self.answers:
            return []
        if query.name == "":
            return [query.packet()]  # a probe: it is there
        self.asked.add((query.name, query.type))
        found = self.find(query.name)
        return [query.packet(rcode=RCODE.NXDOMAIN)] if found is None else found(query)


# ---- what a name may do ----

def rows(*pairs):
    """Properly: the records of the type asked for."""
    return lambda query: [query.packet([(kind, value) for kind, value in pairs if kind == query.type])]


def txt(*texts):
    return rows(*(("TXT", text) for text in texts))


def delayed(seconds, then):
    def late(query):
        time.sleep(seconds)
        return then(query)
    return late


def silent(_):
    return []


def failing(rcode):
    return lambda query: [query.packet(rcode=rcode)]


def with_id(packet, change):
    return struct.pack("!H", (struct.unpack("!H", packet[:2])[0] + change) & 0xFFFF) + packet[2:]


def wrong_id(then):
    """Answers as `then` does, under other ids."""
    return lambda query: [with_id(packet, change) for packet in then(query) for change in (1, 256, 0x8000)]


def flooding(then, count):
    """So many answers under wrong ids before the right one."""
    return lambda query: [*(with_id(packet, change) for packet in then(query) for change in range(1, count)), *then(query)]


def wrong_question(then):
    """The answer to another question."""
    def other(query):
        changed = Query(query.record.pack(), query.is_tcp)
        changed.record.q.qname = "other.example"
        return then(changed)
    return other


def raw(make):
    """The question's header and question section with ANCOUNT 1, then make(offset of what follows)."""
    def answer(query):
        packet = query.reply().pack()
        head = packet[:6] + b"\0\1" + b"\0" * 4
        return [head + packet[12:] + make(len(packet))]
    return answer


def closing_tcp(then):
    """Truncated over UDP, nothing over TCP."""
    def answer(query):
        if query.is_tcp:
            raise ConnectionAbortedError
        reply = then(query)
        return [packet[:2] + bytes([packet[2] | 2]) + packet[3:] for packet in reply]
    return answer
