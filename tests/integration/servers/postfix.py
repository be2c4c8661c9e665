"""A private Postfix on loopback: own configuration, queue and ports. The host's own instance is never touched.

Clients may use XCLIENT, so a test can come from any address, with any name and login.
"""
import os
import pathlib
import pwd
import grp
import smtplib

from .process import Process, accepts, free_port

DAEMONS = "/usr/lib/postfix/sbin"

MAIN_CF = """\
compatibility_level = 3.6
config_directory = {directory}/etc
queue_directory = {directory}/queue
data_directory = {directory}/data
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = mx.example.org
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.0/8
relay_domains = example.org
relay_transport = smtp:[127.0.0.1]:{sink}
default_transport = smtp:[127.0.0.1]:{sink}
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_junk_command_limit = 1000
"""

MASTER_CF = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# What postfix-script(1) makes at the first start: name, mode, group (None: root's).
QUEUE_DIRECTORIES = [
    *((name, 0o700, "postfix", None) for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                                                  "incoming", "private", "saved", "trace")),
    ("maildrop", 0o1730, "postfix", "postdrop"),
    ("public", 0o2710, "postfix", "postdrop"),
    ("pid", 0o755, "root", None),
]


class Postfix:
    """Runs until stop(). Other users must be able to enter `directory`. `services` are several smtpd, each on a port of its own: name -> main.cf lines for it alone.
    Lines that all of them share are `main_cf`; they come instead of those above. A service listens on ports[name]."""

    def __init__(self, directory, sink, services, main_cf=""):
        self.directory = pathlib.Path(directory)
        self.ports = {name: free_port() for name in services}
        self.make_directories()
        own = {line.split(" = ")[0] for line in main_cf.splitlines()}
        defaults = MAIN_CF.format(directory=self.directory, daemons=DAEMONS, sink=sink.port).splitlines(keepends=True)
        (self.directory / "etc/main.cf").write_text(
            "".join(line for line in defaults if line.split(" = ")[0] not in own) + main_cf)
        smtpds = "".join(f"127.0.0.1:{self.ports[name]} inet n - n - - smtpd\n" + self.options(lines)
                         for name, lines in services.items())
        (self.directory / "etc/master.cf").write_text(smtpds + MASTER_CF)
        self.process = Process([f"{DAEMONS}/master", "-c", self.directory / "etc", "-d"],
                               self.directory / "master.log", cwd=self.directory)
        self.process.ready(lambda: all(accepts(("127.0.0.1", port)) for port in self.ports.values()), "smtpd listens")

    @staticmethod
    def options(main_cf):
        """main.cf lines as -o of a service in master.cf."""
        pairs = (line.split(" = ", 1) for line in main_cf.splitlines() if line)
        return "".join(f"  -o {{ {name} = {value} }}\n" for name, value in pairs)

    def make_directories(self):
        for part in ("etc", "queue", "data"):
            (self.directory / part).mkdir(parents=True)
        for name, mode, owner, group in QUEUE_DIRECTORIES:
            path = self.directory / "queue" / name
            path.mkdir()
            os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid if group else 0)
            path.chmod(mode)
        os.chown(self.directory / "data", pwd.getpwnam("postfix").pw_uid, 0)

    def stop(self):
        self.process.stop()

    @property
    def log(self):
        path = self.directory / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def session(self, service, address="198.18.0.1", name="client.example.net", port=40000, login=None):
        return Session(self.ports[service], address, name, port, login)


class Session(smtplib.SMTP):
    """An SMTP session that comes from any address, said by XCLIENT. Replies are (code, text)."""

    def __init__(self, port, address, name, client_port, login):
        super().__init__("127.0.0.1", port, local_hostname="client.example.net", timeout=300)
        self.ehlo()
        said = f"NAME={name} ADDR={address} PORT={client_port} PROTO=ESMTP" + (f" LOGIN={login}" if login else "")
        code, text = self.docmd("XCLIENT", said)
        assert code == 220, text
        self.ehlo("client.example.net")

    def start(self, sender, *recipients):
        """MAIL and RCPT; the last RCPT's reply."""
        reply = self.reply(*self.mail(sender))
        for recipient in recipients if reply[0] == 250 else ():
            reply = self.reply(*self.rcpt(recipient))
        return reply

    def deliver(self, sender, recipients, subject, size=0):
        """A whole message; the reply to the first command that was refused, else the last one."""
        reply = self.start(sender, *([recipients] if isinstance(recipients, str) else recipients))
        if reply[0] != 250:
            return reply
        reply = self.reply(*self.docmd("DATA"))
        if reply[0] != 354:
            return reply
        filling = ("x" * 70 + "\r\n") * (size // 72)
        self.send(f"From: <{sender}>\r\nSubject: {subject}\r\n\r\nhello\r\n{filling}.\r\n".encode())
        return self.reply(*self.getreply())

    @staticmethod
    def reply(code, text):
        return code, text.decode()
