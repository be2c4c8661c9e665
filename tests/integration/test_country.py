"""The country database: exchanged, overwritten and damaged while policyd runs, or not there at all."""
import re
import subprocess

import pytest

from servers.process import ROOT, wait_for

CONFIG = """
geoip_database = {path}

[rule unknown]
when = country = KP
trouble = match
then = reject 5.7.1 From {{country}}

[rule germany]
when = country = DE and continent = EU and asn = 64500
then = reject 5.7.1 From {{country}}

[rule inside]
when = country = none
then = reject 5.7.1 From {{country}}

[rule unlisted]
when = country = unlisted
then = reject 5.7.1 From {{country}}
"""


def make(path, *networks, layout="maxmind"):
    subprocess.run(["perl", ROOT / "tests/integration/make_mmdb.pl", layout, path, *networks], check=True)


@pytest.fixture
def path(workdir):
    return workdir / "changing.mmdb"


def country(policyd, address="192.0.2.1"):
    action = policyd.ask(client_address=address)
    return action.partition("From ")[2].partition(",")[0] or action


@pytest.mark.parametrize("layout", ["maxmind", "flat", "text"])
def test_countries(start_policyd, path, layout):
    make(path, layout=layout)
    policyd = start_policyd(CONFIG.format(path=path))
    assert country(policyd) == "DE"
    assert country(policyd, "198.51.100.1") == "KP"
    assert country(policyd, "2001:db8:dead::1") == "KP"
    assert country(policyd, "::ffff:192.0.2.1") == "DE"
    assert country(policyd, "10.0.0.1") == "none"
    assert country(policyd, "192.0.9.1") == "unlisted"
    assert country(policyd, "203.0.113.1") == "DUNNO"


def test_status_says_when_it_was_made(start_policyd, path):
    make(path)
    policyd = start_policyd(CONFIG.format(path=path))
    said = policyd.gatectl("status").stdout
    assert re.search(r"^geoip +type=\S+  built=\d{4}-\d\d-\d\d \d\d:\d\d$", said, re.M), said


def test_a_new_file_is_taken_over(start_policyd, path):
    make(path)
    policyd = start_policyd(CONFIG.format(path=path))
    assert country(policyd) == "DE"
    make(path, "192.0.2.0/24=KP/AS/64501")  # in place
    wait_for(lambda: country(policyd) == "KP", "the overwritten database is in use")
    make(f"{path}.new")
    path.with_name(path.name + ".new").rename(path)
    wait_for(lambda: country(policyd) == "DE", "the renamed database is in use")


def test_a_damaged_file_leaves_the_old_one_in_use(start_policyd, path):
    make(path)
    policyd = start_policyd(CONFIG.format(path=path))
    for bad in (b"", b"nonsense" * 1000, path.read_bytes()[:800]):
        said = policyd.log.count("country database")
        path.write_bytes(bad)
        wait_for(lambda: policyd.log.count("country database") > said, "it is said")
        assert country(policyd) == "DE"
    path.unlink()
    assert country(policyd) == "DE"


def test_without_a_database_countries_are_unknown(start_policyd, path):
    path.unlink(missing_ok=True)
    policyd = start_policyd(CONFIG.format(path=path))
    wait_for(lambda: "country database" in policyd.log, "it is said")
    assert country(policyd) == "unknown"  # trouble = match
    make(path)
    wait_for(lambda: country(policyd) == "DE", "the database that has come is in use")
