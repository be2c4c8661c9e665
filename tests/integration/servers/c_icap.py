"""c-icap: its virus_scan service with a clamd behind it, its echo service, and one that does without 204."""
import pathlib

from .process import Process, Server, free_port, says

CONFIG = """
PidFile @/pid
CommandsSocket @/control
Timeout 30
MaxKeepAliveRequests 100
KeepAliveTimeout 30
StartServers 1
MaxServers 1
MinSpareThreads 2
MaxSpareThreads 10
ThreadsPerChild 10
Port 127.0.0.1:PORT
TmpDir @
MaxMemObject 131072
DebugLevel 1
Pipelining on
ModulesDir /usr/lib/x86_64-linux-gnu/c_icap
ServicesDir /usr/lib/x86_64-linux-gnu/c_icap
TemplateDir /usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog @/server.log
AccessLog @/access.log
Service echo srv_echo.so
Service antivirus virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
ServiceAlias sendsback virus_scan?allow204=off&sizelimit=off&mode=simple
Module common clamd_mod.so
clamd_mod.ClamdSocket CLAMD
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.MaxObjectSize 50M
virus_scan.DefaultEngine clamd
"""


class CIcap(Server):
    """Runs until stop()."""

    def __init__(self, directory, clamd_socket):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.config = self.directory / "c-icap.conf"
        self.config.write_text(CONFIG.replace("@", str(self.directory)).replace("PORT", str(self.port))
                               .replace("CLAMD", str(clamd_socket)))
        self.start()

    @property
    def address(self):
        return f"inet:127.0.0.1:{self.port}"

    def start(self):
        self.process = Process(["c-icap", "-N", "-f", self.config], self.directory / "c-icap.log")
        self.process.ready(self.answers, "c-icap answers", 60)

    def answers(self):
        """A child of it does, not only the parent that listens."""
        request = b"OPTIONS icap://127.0.0.1/antivirus ICAP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
        return says(("127.0.0.1", self.port), request, b"ICAP/1.0 200 ")
