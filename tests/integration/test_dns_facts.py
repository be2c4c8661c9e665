"""Facts from the DNS: sender and recipient domains, HELO names, block and allow lists; with resolvers that fail."""
import subprocess

import pytest

from servers.dns import DNS, address_list, domain_list
from servers.machine import Stopwatch
from servers.policy import attributes, encode
from servers.policyd import PATIENT, PROGRAM
from servers.process import wait_for

pytestmark = pytest.mark.sanitized

SHOW = """
[rule show]
then = reject 5.7.1 Seen, {facts}
stage = {stage}
"""


@pytest.fixture
def dns():
    server = DNS()
    yield server
    server.stop()


def said(policyd, text):
    """Waits for a line of the log, which is written behind the answers; returns how often it is there."""
    wait_for(lambda: text in policyd.log, f"the log says: {text}")
    return policyd.log.count(text)


@pytest.fixture
def show(start_policyd, dns):
    """show("fact, ...", sections, options) -> function that asks and gives the facts' values as texts."""

    def start(facts, sections="", options=(), stage="rcpt"):
        shown = " ".join("<{%s}>" % fact for fact in facts.split())
        policyd = start_policyd(SHOW.format(facts=shown, stage=stage) + sections,
                                options=[f"resolver={dns.resolver}", "workers=1", *PATIENT, *options])

        def values(**changes):
            action = policyd.ask(**changes)
            assert "Seen, " in action, action
            seen = action.partition("Seen, <")[2].rpartition(">,")[0].split("> <")
            return seen[0] if len(seen) == 1 else seen

        values.policyd = policyd
        return values

    return start


MAIL = {
    "ok.test": {"MX": ["10 mx.ok.test"]},
    "mx.ok.test": {"A": ["8.8.4.4"]},
    "plain.test": {"A": ["8.8.4.4"]},
    "six.test": {"AAAA": ["2a00:1450::1"]},
    "bare.test": {"TXT": ["no mail"]},
    "nohost.test": {"MX": ["10 gone.test", "20 bare.test"]},
    "null.test": {"MX": ["0 ."]},
    "inside.test": {"MX": ["10 mx.inside.test"]},
    "mx.inside.test": {"A": ["10.1.2.3"]},
    "loop.test": {"MX": ["10 mx.loop.test"]},
    "mx.loop.test": {"A": ["127.0.0.1"], "AAAA": ["::1"]},
    "mixed.test": {"MX": ["10 mx.inside.test", "20 mx.ok.test"]},
    "broken.test": "SERVFAIL",
    "halfbroken.test": {"MX": ["10 broken.test", "20 mx.inside.test"]},
    "halfok.test": {"MX": ["10 broken.test", "20 mx.ok.test"]},
}


@pytest.mark.parametrize("domain, word, exists", [
    ("ok.test", "ok", "yes"),
    ("plain.test", "ok", "yes"),
    ("six.test", "ok", "yes"),
    ("bare.test", "none", "yes"),
    ("nohost.test", "none", "yes"),
    ("null.test", "null", "yes"),
    ("gone.test", "nxdomain", "no"),
    ("inside.test", "private", "yes"),
    ("loop.test", "loop", "yes"),
    ("mixed.test", "ok", "yes"),
    ("[10.0.0.1]", "private", "yes"),
    ("[8.8.4.4]", "ok", "yes"),
    ("broken.test", "unknown", "unknown"),
    ("halfbroken.test", "unknown", "yes"),
    ("halfok.test", "ok", "yes"),
])
def test_domains_of_mail(show, dns, domain, word, exists):
    dns.add(MAIL)
    values = show("sender_mx sender_domain_exists recipient_mx")
    assert values(sender=f"a@{domain}", recipient=f"b@{domain}") == [word, exists, word]


def test_the_null_sender_has_no_domain(show):
    assert show("sender_mx sender_domain_exists")(sender="") == ["", ""]


def test_only_ten_mx_hosts_are_looked_up(show, dns):
    dns.add({"many.test": {"MX": [f"{i} h{i}.many.test" for i in range(40)]}, "h39.many.test": {"A": ["8.8.4.4"]}})
    assert show("sender_mx")(sender="a@many.test") == "none"
    assert dns.asked("h9.many.test") and not dns.asked("h10.many.test")


@pytest.mark.parametrize("helo, word", [
    ("mail.test", "ok"),
    ("other.test", "mismatch"),
    ("bare.test", "none"),
    ("gone.test", "none"),
    ("[192.0.2.10]", "ok"),
    ("[192.0.2.11]", "mismatch"),
    ("192.0.2.10", "invalid"),
    ("localhost", "invalid"),
    ("broken.test", "unknown"),
])
def test_helo_names(show, dns, helo, word):
    dns.add(MAIL | {"mail.test": {"A": ["192.0.2.99", "192.0.2.10"]}, "other.test": {"A": ["192.0.2.99"]}})
    assert show("helo_dns")(helo_name=helo) == word


@pytest.mark.parametrize("name, reverse, word", [
    ("mail.test", "mail.test", "verified"), ("unknown", "mail.test", "unverified"), ("unknown", "unknown", "none")])
def test_names_of_clients(show, dns, name, reverse, word):
    assert show("client_rdns")(client_name=name, reverse_client_name=reverse) == word
    assert not [question for question in list(dns.questions) if question[0]]  # Postfix has asked already


# ---- lists ----

LISTS = """
[dnsbl one]
zone = one.test
replies = 127.0.0.[2..4]*3, 127.0.0.[10;11]*0.5

[dnsbl good]
zone = good.test
replies = 127.0.[1..5].[0..3]*-4

[dnsbl senders]
zone = senders.test
kind = sender_domain

[dnsbl helos]
zone = helos.test
kind = helo
replies = 127.0.1.[2..9]*2

[dnsbl names]
zone = names.test
kind = reverse_name
"""
FACTS = "dnsbl.score dnsbl.zones rhsbl.score rhsbl.zones"
REVERSED_SIX = ".".join(reversed("20010db8000000000000000000000025"))


@pytest.fixture
def lists(dns):
    """The zones of LISTS; working, with some entries."""
    dns.add(address_list("one.test", {
        "192.0.2.2": {"A": ["127.0.0.2"], "TXT": ["Listed, see https://one.test/192.0.2.2 \x07\x1b{sender}" + "x" * 200]},
        "192.0.2.3": {"A": ["127.0.0.2", "127.0.0.4", "127.0.0.10"]},
        "192.0.2.4": {"A": ["127.0.0.99"]},
        "192.0.2.5": {"A": ["127.0.0.3"]},
    }))
    dns.add({f"{REVERSED_SIX}.one.test": {"A": ["127.0.0.11"]}})
    dns.add(address_list("good.test", {"192.0.2.5": {"A": ["127.0.3.1"]}}))
    dns.add(domain_list("senders.test", {"bad.test": {"A": ["127.0.0.2"]}}))
    dns.add(domain_list("helos.test", {"bad.helo.test": {"A": ["127.0.1.2"]}}))
    dns.add(domain_list("names.test", {"bad.name.test": {"A": ["127.0.0.2"]}}))
    return dns


@pytest.mark.parametrize("changes, want", [
    ({}, ["0", "", "0", ""]),
    ({"client_address": "192.0.2.2"}, ["3", "one", "0", ""]),
    ({"client_address": "192.0.2.3"}, ["3.5", "one", "0", ""]),
    ({"client_address": "192.0.2.4"}, ["0", "", "0", ""]),
    ({"client_address": "192.0.2.5"}, ["-1", "one, good", "0", ""]),
    ({"client_address": "2001:db8::25"}, ["0.5", "one", "0", ""]),
    ({"sender": "x@BAD.test"}, ["0", "", "1", "senders"]),
    ({"sender": ""}, ["0", "", "0", ""]),
    ({"sender": "x@bad.test", "helo_name": "bad.helo.test", "reverse_client_name": "bad.name.test"},
     ["0", "", "4", "senders, helos, names"]),
    ({"helo_name": "[192.0.2.2]", "reverse_client_name": "unknown"}, ["0", "", "0", ""]),
])
def test_lists(show, lists, changes, want):
    assert show(FACTS, LISTS)(**changes) == want


def test_one_list_by_name(show, lists):
    values = show("dnsbl.one dnsbl.senders", LISTS)
    assert values(client_address="192.0.2.2", sender="") == ["3", ""]
    assert values(sender="a@bad.test") == ["0", "1"]
    assert not lists.asked("2.2.0.192.good.test")  # nothing names it


def test_a_rule_before_spares_a_network(start_policyd, lists):
    policyd = start_policyd("[rule own]\nwhen = client_address in (192.0.2.0/29)\nthen = accept\n"
                            "[rule listed]\nwhen = dnsbl.score >= 3\nthen = reject 5.7.1 Listed\n" + LISTS,
                            options=[f"resolver={lists.resolver}"])
    lists.add({"9.2.0.192.one.test": {"A": ["127.0.0.2"]}})
    assert policyd.ask(client_address="192.0.2.2") == "DUNNO"
    assert not lists.asked("2.2.0.192.one.test")
    assert policyd.ask(client_address="192.0.2.9").startswith("554 5.7.1 Listed")


def test_the_text_of_a_listing_is_escaped_and_bounded(show, lists):
    policyd = show("dnsbl.text", LISTS)
    text = policyd(client_address="192.0.2.2")
    assert text.startswith("Listed, see https://one.test/192.0.2.2 ") and "{sender}" in text
    assert text.isprintable() and 150 < len(text) < 230
    assert policyd(client_address="192.0.2.10") == ""
    assert not lists.asked("10.2.0.192.one.test") or ("10.2.0.192.one.test", "TXT") not in lists.questions


@pytest.mark.parametrize("entry", [["127.255.255.254"], ["127.0.0.1"], ["192.0.2.1"], ["127.0.0.2", "127.255.255.255"]])
def test_an_error_lists_nobody_and_switches_the_list_off(show, lists, entry):
    values = show(FACTS, LISTS)
    lists.add(address_list("one.test", {"192.0.2.2": {"A": entry}}))
    assert values(client_address="192.0.2.2")[0] == "0"  # the other list has answered
    assert values(client_address="192.0.2.3")[0] == "0"
    assert not lists.asked("3.2.0.192.one.test")
    policyd = values.policyd
    assert said(policyd, "DNS list one is switched off until it works: it answered") == 1
    assert policyd.metric("gatehouse_dnsbl_off", list="one") == 1
    assert policyd.metric("gatehouse_dnsbl_skipped_total", list="one") >= 2


def comes_back(policyd, values):
    """The list `one`, which is switched off, and works."""
    assert said(policyd, "DNS list one is switched off until it works") == 1
    wait_for(lambda: values(client_address="192.0.2.3")[0] == "3.5", "the list is tried again")
    assert said(policyd, "DNS list one works again") == 1
    assert policyd.metric("gatehouse_dnsbl_off", list="one") == 0
    assert policyd.metric("gatehouse_dnsbl_listed_total", list="one") == 1
    assert policyd.gatectl_json("status")["dns_lists"]["one"] == "works"


def test_a_list_that_told_of_an_error_comes_back(show, lists):
    values = show(FACTS, LISTS, options=["dnsbl_retry=1s"])
    lists.add(address_list("one.test", {"192.0.2.2": {"A": ["127.255.255.254"]}}))
    assert values(client_address="192.0.2.2")[0] == "0"
    comes_back(values.policyd, values)


def test_a_list_that_lists_everybody_lists_nobody(show, lists):
    lists.add({"*.one.test": {"A": ["127.0.0.2"]}, "*.senders.test": {"A": ["127.0.0.2"]}})
    values = show(FACTS, LISTS)
    assert values(client_address="192.0.2.77", sender="a@any.test") == ["0", "", "0", ""]
    said(values.policyd, "DNS list one is switched off until it works: it has an entry for 127.0.0.1")
    said(values.policyd, "DNS list senders is switched off until it works: it has an entry for invalid")


def test_a_list_without_its_test_entry_is_off(show, lists):
    del lists.zone["2.0.0.127.one.test"]
    values = show("dnsbl.one", LISTS)
    assert values(client_address="192.0.2.2") == "unknown"
    said(values.policyd, "it has no test entry, 127.0.0.2")
    values.policyd.conf.write_text(values.policyd.conf.read_text().replace("one.test", "one.test\nself_test = no"))
    values.policyd.restart()
    assert values(client_address="192.0.2.2") == "3"


def test_a_silent_list_does_not_list(show, lists):
    lists.zone["2.2.0.192.one.test"] = "SILENT"
    values = show(FACTS + " dnsbl.one", LISTS, options=["dns_timeout=1500ms"])
    watch = Stopwatch()
    assert values(client_address="192.0.2.2") == ["0", "", "0", "", "unknown"]
    assert watch.seconds() < 10
    assert values.policyd.metric("gatehouse_dnsbl_failures_total", list="one") == 1


SILENT = pytest.mark.parametrize("times", [("dns_timeout=1s", "budget=20s"), ("dns_timeout=20s", "budget=1s")],
                                 ids=["lookup-ends-first", "budget-ends-first"])


@pytest.fixture
def fall_silent(show, lists):
    """fall_silent(options) -> values(), end(): the list `one` has been silent for three requests, is so until end()."""
    silent = {name: "SILENT" for name in [*lists.zone, "*.one.test"] if name.endswith(".one.test")}
    works = {name: lists.zone.get(name) for name in silent}

    def end():
        lists.set({name: records for name, records in (lists.zone | works).items() if records is not None})

    def fall_silent(options):
        lists.add(silent)
        values = show(FACTS, LISTS, options=options)
        for last in (20, 21, 22):
            assert values(client_address=f"192.0.2.{last}") == ["0", "", "0", ""]
        return values, end

    return fall_silent


@SILENT
def test_a_list_that_is_only_silent_is_switched_off(fall_silent, lists, times):
    """Else each request would wait for it."""
    values, _ = fall_silent(times)
    policyd = values.policyd
    assert said(policyd, "DNS list one is switched off until it works: it does not answer") == 1
    assert policyd.metric("gatehouse_dnsbl_off", list="one") == 1
    assert policyd.gatectl_json("status")["dns_lists"] == {
        "one": "off", "good": "works", "senders": "works", "helos": "works", "names": "works"}
    assert values(client_address="192.0.2.23") == ["0", "", "0", ""]
    assert not lists.asked("23.2.0.192.one.test")


@SILENT
def test_a_list_that_was_silent_comes_back(fall_silent, times):
    values, end = fall_silent([*times, "dnsbl_retry=1s"])
    end()
    comes_back(values.policyd, values)


def test_requests_side_by_side_do_not_switch_a_list_off(show, lists):
    lists.add({name: "SILENT" for name in [*lists.zone, "*.one.test"] if name.endswith(".one.test")})
    policyd = show(FACTS, LISTS, options=["dns_timeout=2s"]).policyd
    clients = [policyd.client() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(encode(attributes(client_address=f"192.0.2.{number + 20}")))
    for client in clients:
        assert b"Seen, <0>" in client.reply()
        client.close()
    assert policyd.metric("gatehouse_dnsbl_off", list="one") == 0


def test_a_dead_resolver_switches_no_list_off(show, lists):
    values = show(FACTS, LISTS, options=["dns_timeout=500ms"])
    lists.silent = True
    for last in range(20, 26):
        assert values(client_address=f"192.0.2.{last}") == ["unknown", "unknown", "unknown", "unknown"]
    assert values.policyd.metric("gatehouse_dnsbl_off") == 0
    lists.silent = False
    wait_for(lambda: values(client_address="192.0.2.3")[0] == "3.5", "full service", timeout=20)


def test_what_has_been_answered_counts_when_the_time_is_up(show, lists):
    lists.zone["2.2.0.192.good.test"] = "SILENT"
    lists.zone["3.2.0.192.one.test"] = "SILENT"
    values = show("dnsbl.one " + FACTS, LISTS, options=["budget=2s", "dns_timeout=20s"])
    assert values(client_address="192.0.2.2") == ["3", "unknown", "unknown", "0", ""]  # the allow list may know better
    assert values(client_address="192.0.2.3") == ["unknown", "0", "", "0", ""]
    assert values.policyd.metric("gatehouse_policy_late_total") == 2


def test_explaining_leaves_no_trace(show, lists):
    values = show("dnsbl.score", LISTS)
    policyd = values.policyd
    lists.add(address_list("one.test", {"192.0.2.6": {"A": ["127.255.255.254"]}}))
    for last, score in ((2, "3"), (6, "0"), (2, "3")):
        answer = policyd.gatectl_json("explain", f"client_address=192.0.2.{last}")
        assert f"Seen, <{score}>" in answer["reply"]
    assert not lists.asked("2.0.0.127.one.test")  # no test of the list
    for metric in ("listed_total", "failures_total", "skipped_total", "off"):
        assert policyd.metric(f"gatehouse_dnsbl_{metric}") == 0
    assert "switched off" not in policyd.log
    assert values(client_address="192.0.2.6") == "0"
    said(policyd, "DNS list one is switched off")
    answer = policyd.gatectl_json("explain", "client_address=192.0.2.2")
    assert "Seen, <0>" in answer["reply"]  # as requests are answered now


def test_without_the_allow_list_nobody_is_refused(show, lists):
    lists.zone["5.2.0.192.good.test"] = "SERVFAIL"
    lists.zone["2.2.0.192.good.test"] = "SERVFAIL"
    values = show("dnsbl.score dnsbl.one", LISTS)
    assert values(client_address="192.0.2.5") == ["unknown", "3"]


def test_a_reload_keeps_what_is_known_of_a_list(show, lists):
    lists.add(address_list("one.test", {"192.0.2.2": {"A": ["127.255.255.254"]}}))
    values = show("dnsbl.one", LISTS)
    assert values(client_address="192.0.2.2") == "unknown"
    values.policyd.reload(values.policyd.conf.read_text() + "\n# another\n")
    wait_for(lambda: values.policyd.metric("gatehouse_configuration_generation") >= 2, "the reload is in force")
    assert values(client_address="192.0.2.3") == "unknown"
    assert not lists.asked("3.2.0.192.one.test")
    assert said(values.policyd, "is switched off") == 1


# ---- waiting ----

EIGHT = "".join(f"""
[dnsbl l{i}]
zone = l{i}.test
""" for i in range(8))


def test_eight_lists_and_checks_cost_about_one_lookup(show, dns):
    for i in range(8):
        dns.add(address_list(f"l{i}.test", {"192.0.2.2": {"A": ["127.0.0.2"]}}))
    dns.add(MAIL | {"mail.test": {"A": ["192.0.2.2"]}})
    dns.add({"plain.test": {"A": ["8.8.4.4"], "TXT": ["v=spf1 ip4:192.0.2.2 -all"]}})
    values = show("dnsbl.score spf sender_mx recipient_mx helo_dns", EIGHT)
    values(client_address="192.0.2.1")  # the lists are tested
    asked = {f"2.2.0.192.l{i}.test" for i in range(8)} | {"mail.test", "plain.test", "null.test"}
    dns.hold()
    with values.policyd.client() as client:
        client.send(encode(attributes(client_address="192.0.2.2", helo_name="mail.test", sender="a@plain.test", recipient="b@null.test")))
        wait_for(lambda: all(dns.asked(name) for name in asked), "all is asked for before anything is answered")
        dns.release()
        assert b"Seen, <8> <pass> <ok> <null> <ok>" in client.reply()


TROUBLE = """
budget = 1s

[rule defers]
when = sender_mx = nxdomain
then = reject 5.1.8 Domain not found
trouble = defer
stage = rcpt

[rule skips]
when = dnsbl.score >= 1
then = reject 5.7.1 Listed
stage = data
""" + LISTS


def test_a_silent_resolver_keeps_the_budget_and_full_service_comes_back(start_policyd, lists):
    lists.silent = True
    policyd = start_policyd(TROUBLE, options=[f"resolver={lists.resolver}", "workers=1"])
    watch = Stopwatch()
    assert policyd.ask(sender="a@gone.test").startswith("451 4.3.0 Temporary lookup problem")
    assert policyd.ask("DATA", client_address="192.0.2.2") == "DUNNO"
    assert watch.seconds() < 3
    assert policyd.metric("gatehouse_policy_late_total") == 2
    assert policyd.metric("gatehouse_policy_trouble_total") == 2
    lists.silent = False
    wait_for(lambda: policyd.ask(sender="a@gone.test").startswith("554 5.1.8"), "full service", timeout=20)
    assert policyd.ask("DATA", client_address="192.0.2.2").startswith("554 5.7.1 Listed")


def test_many_requests_at_once_with_a_dead_resolver(start_policyd, dns):
    dns.stop()
    policyd = start_policyd(TROUBLE, options=[f"resolver={dns.resolver}"])
    clients = [policyd.client() for _ in range(50)]
    watch = Stopwatch()
    for number, client in enumerate(clients):
        client.send(encode(attributes(sender=f"a@d{number}.test", client_address=f"192.0.2.{number}")))
    for client in clients:
        assert b"Temporary lookup problem" in client.reply()
    assert watch.seconds() < 3


# ---- mistakes ----

def check(workdir, text):
    path = workdir / "checked.conf"
    path.write_text(text)
    done = subprocess.run([PROGRAM, "-t", "-c", path], capture_output=True, text=True, check=False)
    return path, done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("rules, unused", [
    ("", ["one", "two", "dom"]),
    ("[rule r]\nwhen = dnsbl.score > 1\nthen = accept\n", ["dom"]),
    ("[rule r]\nthen = warn {dnsbl.zones}\n", ["dom"]),
    ("[rule r]\nwhen = rhsbl.zones is set\nthen = accept\n", ["one", "two"]),
    ("[rule r]\nwhen = dnsbl.two > 1\nthen = accept\nmode = shadow\n", ["one", "dom"]),
    ("[rule r]\nthen = reject Listed, {dnsbl.text}\n", []),
    ("[limit l]\nkey = client_address\nrate = 1/1h\nover = defer Listed by {dnsbl.zones}\n[rule r]\nthen = limit l\n", ["dom"]),
    ("[limit l]\nkey = rhsbl.zones\nrate = 1/1h\n[rule r]\nthen = limit l\n", ["one", "two"]),
])
def test_lists_that_no_rule_uses_are_told(workdir, rules, unused):
    lists = ["[dnsbl one]\nzone = one.test\n", "[dnsbl two]\nzone = two.test\n",
             "[dnsbl dom]\nzone = dom.test\nkind = helo\n"]
    path, status, said_of_it = check(workdir, "".join(lists) + rules)
    told = [name for line, name in ((1, "one"), (3, "two"), (5, "dom"))
            if f"{path}:{line}:2: warning: no rule uses this list" in said_of_it]
    assert told == unused, said_of_it
    assert status == 0


@pytest.mark.parametrize("section, where, text", [
    ("[dnsbl a]\nzone = a.test\nreplies = 127.0.0.2*3, 127.0.0.[2-4]\n", "3:34", "a range is written with two dots, [2..11]"),
    ("[dnsbl a]\nzone = a.test\nreplies = 127.0.0.1\n", "3:11", "127.0.0.1 and 127.255.255.0/24 tell of an error"),
    ("[dnsbl a]\nzone = .a.test\n", "2:8", "a zone is written without a dot before it"),
    ("[dnsbl a]\nzone = a.test\nkind = adress\n", "3:8", "address"),
    ("[dnsbl score]\nzone = a.test\n", "1:2", "dnsbl.score is a fact of all lists"),
    ("[dnsbl zen]\nzone = a.test\n[rule r]\nwhen = dnsbl.zem > 0\nthen = accept\n", "4:14",
     'there is no dnsbl "zem"; did you mean "zen"'),
    ("[rule r]\nwhen = sender_mx = nul\nthen = accept\n", "2:20", "null"),
])
def test_mistakes_are_told_with_their_place(workdir, section, where, text):
    path, status, said_of_it = check(workdir, section)
    assert status == 78
    assert f"{path}:{where}: " in said_of_it and text in said_of_it, said_of_it
