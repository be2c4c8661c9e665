"""A name server on loopback whose zone is a table that the test sets."""
import socketserver
import threading

from dnslib import AAAA, CNAME, DNSRecord, MX, PTR, QTYPE, RCODE, RR, TXT, A


def key(name):
    """Labels of a name, in lower case, as dnslib gives them in questions."""
    return tuple(label.lower() for label in name.split(b"."))


def rdata(kind, value):
    if kind == "TXT":
        data = value.encode("latin-1") if isinstance(value, str) else value
        return TXT([data[at:at + 255] for at in range(0, max(len(data), 1), 255)])
    if kind == "MX":
        return MX(value[1], value[0])
    return {"A": A, "AAAA": AAAA, "PTR": PTR, "CNAME": CNAME}[kind](value)


class Zones:
    """`rows` are (name, type, data); type TIMEOUT: no answer for what the name has no records of."""

    def __init__(self):
        self.rows, self.asked = {}, 0
        server = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, socket = self.request
                reply = server.answer(data)
                if reply is not None:
                    socket.sendto(reply, self.client_address)

        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Udp)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def set(self, rows):
        table = {}
        for name, kind, value in rows:
            table.setdefault(key(str(name).rstrip(".").encode("latin-1")), []).append((kind, value))
        self.rows = table

    def answer(self, data):
        question = DNSRecord.parse(data)
        self.asked += 1
        name, kind = question.q.qname, QTYPE[question.q.qtype]
        reply = question.reply()
        for _ in range(10):
            records = self.rows.get(tuple(label.lower() for label in name.label))
            if records is None:
                reply.header.rcode = RCODE.NXDOMAIN
                break
            found = [value for have, value in records if have == kind]
            alias = [value for have, value in records if have == "CNAME"]
            for value in found:
                reply.add_answer(RR(name, question.q.qtype, rdata=rdata(kind, value), ttl=0))
            if found or not alias:
                if not found and any(have == "TIMEOUT" for have, _ in records):
                    return None
                break
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(alias[0]), ttl=0))
            name = CNAME(alias[0]).label
        return reply.pack()
