"""The test suite of RFC 7208 through policyd's socket, with conf/spf.conf and a name server that has the suite's zones."""
import re

import pytest

from servers.policyd import Policyd
from servers.process import ROOT
from servers.zones import Zones
from test_rfc7208 import CASES, SCENARIOS, text


def rows(zonedata):
    """Records of type SPF stand for TXT where a name has no TXT ones."""
    for name, records in zonedata.items():
        pairs = [("TIMEOUT", "") if record == "TIMEOUT" else next(iter(record.items())) for record in records]
        has_txt = any(kind == "TXT" for kind, _ in pairs)
        for kind, value in pairs:
            if kind == "TXT" and value == "NONE" or kind == "SPF" and has_txt:
                continue
            yield name, "TXT" if kind == "SPF" else kind, text(value) if kind in ("SPF", "TXT") else value


@pytest.fixture(scope="module")
def zones():
    server = Zones()
    yield server
    server.close()


@pytest.fixture(scope="module")
def checker(workdir, zones):
    policyd = Policyd(workdir / "checker", conf_file=ROOT / "conf/spf.conf",
                      options=[f"resolver=127.0.0.1@{zones.port}", "dns_timeout=500ms"])
    yield policyd
    policyd.stop()


@pytest.mark.sanitized
@pytest.mark.parametrize("number,name", CASES, ids=[name for _, name in CASES])
def test_case(checker, zones, number, name):
    scenario = SCENARIOS[number]
    test = scenario["tests"][name]
    zones.set(rows(scenario["zonedata"]))
    with checker.client() as client:
        reply = client.ask(client_address=test["host"], helo_name=test["helo"], sender=test["mailfrom"])
    found = re.fullmatch(r"PREPEND Received-SPF: (\w+) \(.*", reply)
    assert found, reply
    wanted = [test["result"]] if isinstance(test["result"], str) else test["result"]
    assert found[1] in wanted, reply
    if "explanation" in test:
        assert f'x-exp="{test["explanation"]}"' in reply

