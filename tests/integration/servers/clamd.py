"""clamd with a database of one hand-made signature: the EICAR test string, wherever it stands."""
import os
import pathlib

from .process import Process, Server, accepts, free_port

# In two pieces, so that a virus scanner that looks at this file does not find it.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Gatehouse.Test.EICAR"


class Clamd(Server):
    """Runs until stop(); speaks on a unix socket and on a port of loopback."""

    def __init__(self, directory, stream_max="25M", **settings):
        self.directory = pathlib.Path(directory)
        database = self.directory / "db"
        database.mkdir(parents=True)
        database.joinpath("eicar.ndb").write_text(f"{SIGNATURE}:0:*:{EICAR.encode().hex()}\n")
        self.socket = self.directory / "clamd.ctl"
        self.port = free_port()
        lines = {"DatabaseDirectory": database, "LocalSocket": self.socket, "TCPSocket": self.port, "TCPAddr": "127.0.0.1",
                 "TemporaryDirectory": self.directory, "Foreground": "yes", "StreamMaxLength": stream_max,
                 "MaxThreads": 4, "FixStaleSocket": "yes", **settings}
        self.config = self.directory / "clamd.conf"
        self.config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        self.start()

    @property
    def addresses(self):
        """What a [scanner] takes: both of them."""
        return [f"unix:{self.socket}", f"inet:127.0.0.1:{self.port}"]

    def start(self):
        self.process = Process(["clamd", "--config-file", self.config], self.directory / "clamd.log")
        self.process.ready(lambda: accepts(self.socket) and accepts(("127.0.0.1", self.port)), "clamd answers", 60)

    def kill(self):
        super().kill()
        if self.socket.exists():
            os.unlink(self.socket)
