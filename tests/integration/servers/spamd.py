"""spamd with SpamAssassin's own rules, local tests only: no network, no Bayes, nobody's preferences."""
import glob
import pathlib
import shutil
import signal

from .process import Process, Server, free_port, says, wait_for

# In two pieces, so that a spam filter that looks at this file does not find it.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


class Spamd(Server):
    """Runs until stop(); speaks on a port of loopback. `rules` is added to its local.cf."""

    def __init__(self, directory, rules="", children=2):
        self.directory = pathlib.Path(directory)
        site = self.directory / "site"
        site.mkdir(parents=True)
        for plugins in glob.glob("/etc/spamassassin/*.pre"):
            shutil.copy(plugins, site)
        site.joinpath("local.cf").write_text(f"required_score 5\nuse_bayes 0\nuse_auto_whitelist 0\n{rules}\n")
        self.site, self.children, self.port = site, children, free_port()
        self.start()

    @property
    def address(self):
        return f"inet:127.0.0.1:{self.port}"

    def start(self):
        self.process = Process(
            ["spamd", "-L", "-x", "-s", "stderr", f"--listen=127.0.0.1:{self.port}", f"--siteconfigpath={self.site}",
             f"--max-children={self.children}", f"--pidfile={self.directory / 'pid'}"],
            self.directory / "spamd.log", env={"HOME": str(self.directory)})
        self.process.ready(self.answers, "spamd answers", 60)

    def answers(self):
        """It listens before it has read its rules and started a child, which takes seconds."""
        return says(("127.0.0.1", self.port), b"PING SPAMC/1.2\r\n\r\n", b"SPAMD/")

    def stop(self):
        # While it starts a child it misses the signal.
        wait_for(lambda: not self.process.is_running() or self.process.send_signal(signal.SIGTERM), "spamd ends", 15, 0.5)
        super().stop()
