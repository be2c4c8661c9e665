"""The test suite of RFC 7208 that python3-spf ships, against the evaluator itself (tests/programs/spf_check.c)."""
import gzip
import json
import subprocess

import pytest
import yaml

from servers.policyd import BUILD

SUITE = "/usr/share/doc/python3-spf/rfc7208-tests.yml.gz"
SUITE_SIZE = 203
DEFAULT_EXPLANATION = "DEFAULT"


def text(value):
    """The strings of a TXT record, joined."""
    return value if isinstance(value, str) else "".join(value)


def zone(zonedata):
    """Rows of name, type, data. Records of type SPF stand for TXT where a name has no TXT ones."""
    rows = []
    for name, records in zonedata.items():
        pairs = [("TIMEOUT", "") if record == "TIMEOUT" else next(iter(record.items())) for record in records]
        has_txt = any(kind == "TXT" for kind, _ in pairs)
        exchangers = sorted(value for kind, value in pairs if kind == "MX")
        rows += [(name, "MX", exchanger) for _, exchanger in exchangers]
        for kind, value in pairs:
            if kind == "SPF" and not has_txt:
                rows.append((name, "TXT", text(value)))
            elif kind == "TXT" and value != "NONE":
                rows.append((name, "TXT", text(value)))
            elif kind not in ("SPF", "TXT", "MX"):
                rows.append((name, kind, value))
    return rows


def load():
    with gzip.open(SUITE) as suite:
        return list(yaml.safe_load_all(suite))


SCENARIOS = load()
CASES = [(number, name) for number, scenario in enumerate(SCENARIOS) for name in scenario["tests"]]


@pytest.fixture(scope="module")
def outcomes():
    """By scenario and test: what spf_check says."""
    wanted = [{
        "zone": zone(scenario["zonedata"]),
        "checks": [{"helo": test["helo"], "client": test["host"], "sender": test["mailfrom"],
                    "explanation": DEFAULT_EXPLANATION} for test in scenario["tests"].values()],
    } for scenario in SCENARIOS]
    run = subprocess.run([BUILD / "tests/spf_check"], input=json.dumps(wanted), encoding="utf-8",
                         stdout=subprocess.PIPE, check=True)
    return {(number, name): outcome
            for number, (scenario, answers) in enumerate(zip(SCENARIOS, json.loads(run.stdout)))
            for name, outcome in zip(scenario["tests"], answers)}


def test_the_suite_is_the_one_we_know():
    assert len(CASES) == SUITE_SIZE


@pytest.mark.sanitized
@pytest.mark.parametrize("number,name", CASES, ids=[name for _, name in CASES])
def test_case(outcomes, number, name):
    test, outcome = SCENARIOS[number]["tests"][name], outcomes[number, name]
    # Of several results the suite prefers the first, and so do we.
    preferred = test["result"] if isinstance(test["result"], str) else test["result"][0]
    assert outcome["result"] == preferred, outcome["reason"]
    if "explanation" in test:
        assert outcome["explanation"] == test["explanation"]
        assert f'x-exp="{test["explanation"]}"' in outcome["header"]
    assert outcome["header"].startswith(f"{preferred} (")
