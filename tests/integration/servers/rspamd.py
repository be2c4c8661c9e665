"""rspamd with a configuration of its own: no modules, no network, scores that a test asks for."""
import http.client
import os
import pathlib

from .process import Process, Server, free_port
from .spamd import GTUBE

# Patterns that rspamd knows besides GTUBE: for the actions `add header` and `rewrite subject`.
GTUBE_ADD_HEADER = "Y" + GTUBE[1:]
GTUBE_SUBJECT = "Z" + GTUBE[1:]

CONFIG = """
options {
    pidfile = "@/pid"; cache_file = "@/symbols"; hs_cache_dir = "@/"; history_file = "@/history";
    control_socket = "@/control mode=0600"; dynamic_conf = "@/dynamic"; stats_file = "@/stats"; rrd = "@/rrd"; tempdir = "@";
    url_tld = "@/tld";
    filters = ""; explicit_modules = []; enable_test_patterns = true;
    dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "info"; color = false; }
lang_detection { languages = "@/none"; }
worker "normal" { bind_socket = ["127.0.0.1:PORT", "@/rspamd.sock mode=0666"]; count = 1; task_timeout = 60s; }
actions { reject = 15; add_header = 6; greylist = 4; discard { flags = ["no_threshold"]; } quarantine { flags = ["no_threshold"]; } }
lua = "@/rules.lua";
"""

# X-Test-Score is the score; X-Test-Force a forced action and its text. What rspamd was told comes back in X-Told.
RULES = """
rspamd_config:register_symbol({ name = 'TEST_SCORE', score = 1.0, type = 'normal', callback = function(task)
  local score = tonumber(task:get_header('X-Test-Score') or '')
  if score then task:insert_result('TEST_SCORE', score) end
  local force = task:get_header('X-Test-Force')
  if force then task:set_pre_result(force, 'forced by the test') end
end })
rspamd_config:register_symbol({ name = 'TELL', score = 0.0, type = 'postfilter', callback = function(task)
  local recipients, from = {}, task:get_from('smtp')
  for _, one in ipairs(task:get_recipients('smtp') or {}) do recipients[#recipients + 1] = one.addr end
  local told = { 'ip=' .. tostring(task:get_ip()), 'helo=' .. tostring(task:get_helo()),
    'hostname=' .. tostring(task:get_hostname()), 'from=' .. (from and from[1] and from[1].addr or ''),
    'user=' .. tostring(task:get_user()), 'recipients=' .. table.concat(recipients, ','),
    'queue_id=' .. tostring(task:get_queue_id()), 'size=' .. task:get_size() }
  task:set_milter_reply({ add_headers = { ['X-Told'] = table.concat(told, ' '), ['X-First'] = { value = 'a', order = 0 } },
    remove_headers = { ['X-Test-Score'] = 0 } })
end })
"""


class Rspamd(Server):
    """Runs until stop(); speaks on a port of loopback and on a unix socket."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self.socket = self.directory / "rspamd.sock"
        for name, text in {"rspamd.conf": CONFIG.replace("PORT", str(self.port)), "rules.lua": RULES,
                           "tld": "com\norg\nnet\nexample\n"}.items():
            self.directory.joinpath(name).write_text(text.replace("@", str(self.directory)) if name.endswith("f") else text)
        self.start()

    @property
    def addresses(self):
        return [f"inet:127.0.0.1:{self.port}", f"unix:{self.socket}"]

    def start(self):
        insecure = ["-i"] if os.getuid() == 0 else []
        self.process = Process(["rspamd", "-f", *insecure, "-c", self.directory / "rspamd.conf"], self.directory / "rspamd.log")
        self.process.ready(self.answers, "rspamd answers", 60)

    def answers(self):
        """Its worker does, not only the parent that has opened the sockets."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
