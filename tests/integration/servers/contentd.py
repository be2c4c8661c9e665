"""gatehouse-contentd, or the milter that does what messages say, with a given configuration."""
import pathlib

from .daemon import BUILD, Daemon
from .milter_client import MilterClient
from .process import free_port


class Contentd(Daemon):
    """Serves `unix` (a path) and `tcp` ((host, port))."""

    program = BUILD / "bin" / "gatehouse-contentd"

    def __init__(self, directory, config="", options=(), env=None):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.unix = directory / "milter"
        self.tcp = ("127.0.0.1", free_port())
        conf_file = directory / "contentd.conf"
        conf_file.write_text(config)
        own = [f"listen=unix:{self.unix}, inet:127.0.0.1:{self.tcp[1]}", f"http=unix:{directory / 'http'}",
               "log=stderr", "listen_mode=0666", f"spool_directory={directory}"]
        super().__init__(directory, own + list(options), conf_file, env)

    def client(self, version=6, tcp=False, **arguments):
        return MilterClient(self.tcp if tcp else self.unix, version, **arguments)

    def messages(self):
        """How many are under way."""
        return int(self.metric("gatehouse_milter_messages_in_flight"))


class MilterScript(Contentd):
    """tests/programs/milter_script.c: the header fields X-Do are what it does."""

    program = BUILD / "tests" / "milter_script"

    def hooks(self, name):
        """How often this hook was called."""
        return int(self.metric("milter_script_hooks_total", hook=name))
