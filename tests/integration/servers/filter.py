"""gatehouse-contentd with a given configuration, and what stands behind it: a Postfix that uses it, a listener for what it releases."""
import pathlib
import subprocess

from .policyd import BUILD, GATECTL, Policyd
from .postfix import Postfix
from .process import Process


class Filter(Policyd):
    """contentd on one unix socket. In `config` {directory} is its own."""

    def __init__(self, directory, config, options=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.unix = self.directory / "milter"
        self.http = self.directory / "http"
        self.conf = self.directory / "contentd.conf"
        self.conf.write_text(config)
        self.options = [f"listen=unix:{self.unix}", f"http=unix:{self.http}", "log=stderr", "listen_mode=0666",
                        f"spool_directory={self.directory}", f"quarantine_directory={self.directory}/quarantine",
                        f"outbox_directory={self.directory}/outbox", *options]
        self.env = None
        self.start()

    def argv(self, *more):
        return [BUILD / "bin/gatehouse-contentd", "-c", self.conf,
                *(part for option in self.options for part in ("-o", option)), *more]

    def start(self):
        self.process = Process(self.argv(), self.directory / "contentd.log")
        self.process.ready(self.is_ready, "contentd serves")

    def decisions(self):
        whole = self.log.rpartition("\n")[0]  # without a line that is just being written
        return [line.split(" decision ", 1)[1] for line in whole.splitlines() if " decision " in line]

    def gatectl(self, *arguments):
        return subprocess.run([GATECTL, "-s", self.http, *arguments], capture_output=True, text=True, check=False)


def filtering_postfix(directory, sink, milter, main_cf="", shared=""):
    """A Postfix with two services: `mx`, which asks this milter and has these lines of main.cf, and `release`, which asks none;
    `shared` are lines for all of it."""
    return Postfix(directory, sink, {
        "mx": f"smtpd_milters = unix:{milter}\nmilter_default_action = tempfail\n{main_cf}",
        "release": "smtpd_milters = \nsmtpd_recipient_restrictions = permit_mynetworks, reject\nsmtpd_relay_restrictions = \n",
    }, shared)


def send(session, sender, recipients, text):
    """A whole message, lines ended by LF; the last reply."""
    reply = session.start(sender, *recipients)
    if reply[0] != 250:
        return reply
    assert session.docmd("DATA")[0] == 354
    session.send(text.replace("\n", "\r\n").encode() + b"\r\n.\r\n")
    return session.reply(*session.getreply())
