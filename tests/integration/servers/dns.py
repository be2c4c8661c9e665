"""A DNS server on loopback with made-up zones, which can be slow, silent or broken. Needs python3-dnslib."""
import collections
import socket
import threading

from dnslib import AAAA, CNAME, MX, PTR, QTYPE, RCODE, RR, SOA, TXT, A, DNSRecord

from .process import held_port, wait_for

ALIASES_MAX = 10


def rdata(kind, value):
    """TXT: text (its characters are bytes) or bytes of any length; MX: "10 host" or (10, "host"); else as dnslib has it."""
    if kind == "TXT":
        data = value.encode("latin-1") if isinstance(value, str) else value
        return TXT([data[at:at + 255] for at in range(0, max(len(data), 1), 255)])
    if kind == "MX":
        preference, host = value.split(" ", 1) if isinstance(value, str) else value
        return MX(host, int(preference))
    return {"A": A, "AAAA": AAAA, "PTR": PTR, "CNAME": CNAME}[kind](value)


def labels(name):
    return b".".join(name.label).decode("latin-1").lower()


class DNS:
    """`zone` maps a name to {"A": [...], "MX": ["10 host"], ...}; "SERVFAIL" or "SILENT" instead of a dict does that, and
    a name that begins with *. stands for all below it. "SILENT" as a key: nothing is said of types that the name has not.
    Names without an entry do not exist."""

    def __init__(self, zone=None, ttl=60):
        self.zone = {}
        self.add(zone or {})
        self.ttl = ttl
        self.silent = False
        self.held = None  # replies that wait for release()
        self.questions = collections.Counter()
        self.port, self.hold_of_port = held_port()
        self.lock = threading.Lock()
        self.socket = None
        self.start()

    @property
    def resolver(self):
        return f"127.0.0.1@{self.port}"

    def add(self, zone):
        """One step for serve(), which looks through all names."""
        self.zone = {**self.zone, **{name.lower(): records for name, records in zone.items()}}

    def set(self, zone):
        self.zone = {name.lower(): records for name, records in zone.items()}

    def start(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", self.port))
        self.thread = threading.Thread(target=self.serve, args=(self.socket,), daemon=True)
        self.thread.start()

    def stop(self):
        if self.socket is not None:
            while self.thread.is_alive():  # where many questions are waiting the word is lost
                self.socket.sendto(b"", ("127.0.0.1", self.port))  # ends serve()
                self.thread.join(0.5)
            self.socket.close()
            self.socket = None

    def serve(self, sock):
        while True:
            packet, client = sock.recvfrom(4096)
            if not packet:
                return
            reply = self.answer(DNSRecord.parse(packet))
            if reply is None or self.silent:
                continue
            with self.lock:
                if self.held is None:
                    sock.sendto(reply.pack(), client)
                else:
                    self.held.append((sock, reply.pack(), client))

    def hold(self):
        """Questions are counted and not answered until release()."""
        with self.lock:
            self.held = []

    def release(self):
        with self.lock:
            for sock, packet, client in self.held:
                sock.sendto(packet, client)
            self.held = None

    def find(self, name):
        zone = self.zone  # add() and set() put another one in its place
        if name in zone:
            return zone[name]
        parts = name.split(".")
        for cut in range(1, len(parts)):
            records = zone.get(".".join(["*"] + parts[cut:]))
            if records is not None:
                return records
        below = any(other.endswith("." + name) for other in list(zone))  # tests change it meanwhile
        return {} if below or name == "" else None

    def put_records(self, reply, kind):
        """The records of the name asked for, and of those that it is an alias of. False: nothing is to be said."""
        name = reply.q.qname
        for _ in range(ALIASES_MAX):
            records = self.find(labels(name))
            if records in ("SERVFAIL", None):
                reply.header.rcode = RCODE.NXDOMAIN if records is None else RCODE.SERVFAIL
                return True
            if records == "SILENT" or "SILENT" in records and kind not in records:
                return False
            answers, aliases = records.get(kind, []), records.get("CNAME", [])
            for value in answers or aliases[:1]:
                reply.add_answer(RR(name, getattr(QTYPE, kind if answers else "CNAME"), ttl=self.ttl,
                                    rdata=rdata(kind if answers else "CNAME", value)))
            if answers or not aliases:
                return True
            name = CNAME(aliases[0]).label
        return True

    def answer(self, query):
        kind = QTYPE[query.q.qtype]
        with self.lock:
            self.questions[labels(query.q.qname), kind] += 1
        reply = query.reply()
        if not self.put_records(reply, kind):
            return None
        if not reply.rr and reply.header.rcode != RCODE.SERVFAIL:
            reply.add_auth(RR("test", QTYPE.SOA, ttl=self.ttl,
                              rdata=SOA("ns.test", "root.test", (1, 60, 60, 60, self.ttl))))
        return reply

    def asked(self, name):
        with self.lock:
            return sum(count for (asked, _), count in self.questions.items() if asked == name)

    def wait_until_asked(self, name):
        wait_for(lambda: self.asked(name), f"{name} is asked for")


def address_list(zone, entries=None):
    """A DNS list of addresses as RFC 5782 has it. `entries`: {address: {"A": [...]}}; reversed here."""
    names = {f"2.0.0.127.{zone}": {"A": ["127.0.0.2"]}}
    for address, records in (entries or {}).items():
        names[".".join(reversed(address.split("."))) + "." + zone] = records
    return names


def domain_list(zone, entries=None):
    return {f"test.{zone}": {"A": ["127.0.0.2"]}} | {f"{name}.{zone}": records
                                                   for name, records in (entries or {}).items()}
