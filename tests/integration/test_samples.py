"""The rule sets in conf/: each is correct, and every rule and limit in it does what the lines above it say.

A rule that is shipped in shadow mode or as an example (its lines begin with #) is switched on for its test; and it is
seen that it changes no answer before."""
import itertools
import re
import subprocess
import time

import pytest

from servers.dns import DNS, address_list
from servers.policyd import BUILD, PROGRAM, Policyd
from servers.process import ROOT, wait_for

PROGRAMS = {"aximilter": "contentd", "content": "contentd", "contentd": "contentd", "try-content": "contentd",
            "sign": "signd", "sign-dmarc": "signd", "signd": "signd"}
SAMPLES = ("inbound", "submission", "both")
MX, SUBMISSION, USERS = ("inbound", "both"), ("submission",), ("submission", "both")
REFERENCE = r", ref=[a-z0-9]{6}"
EXAMPLE = re.compile(r"^#(?=\[|[a-z_.]+ *=)", re.M)  # before a line of an example, not before prose

# What a user's mail has. Mail from outside is what servers.policy.attributes() makes.
USER = {"sasl_username": "alice@example.com", "sender": "alice@example.com", "server_port": "587",
        "encryption_protocol": "TLSv1.3", "encryption_cipher": "TLS_AES_256_GCM_SHA384", "encryption_keysize": "256"}
DATA = {"stage": "DATA"}
TO_MANY = {"stage": "DATA", "recipient": ""}
FINGERPRINT, OTHER_FINGERPRINT = ":".join(["AB"] * 32), ":".join(["CD"] * 32)
REFUSED = {"sender": "x@blocked.example"}  # by the list block, after BLOCK
BLOCK = "list add block blocked.example"


class Case:
    """After `setup` (gatectl commands) the rule answers `acts` with `reply`, and DUNNO to `innocent`, which differs in
    what the rule is about. A rule that accepts (reply None): `acts` passes, though `innocent` is refused by another."""

    def __init__(self, rule, samples, reply, acts, innocent, *setup):
        self.rule, self.samples, self.reply, self.setup = rule, samples, reply, setup
        self.acts, self.innocent = acts, innocent

    def asks(self, policyd, changes):
        changes = {**(USER if self.is_about_users else {}), **changes}
        return policyd.ask(changes.pop("stage", "RCPT"), **changes)

    @property
    def is_about_users(self):
        return self.samples in (USERS, SUBMISSION)

    def answers_well(self, policyd):
        if self.reply is None:
            return self.asks(policyd, self.acts) == "DUNNO" and self.asks(policyd, self.innocent) != "DUNNO"
        reference = REFERENCE if self.reply[0].isdigit() or self.reply.startswith(("DEFER", "HOLD", "WARN")) else ""
        return (re.fullmatch(self.reply + reference, self.asks(policyd, self.acts))
                and self.asks(policyd, self.innocent) == "DUNNO")


CASES = [
    # ---- exemptions
    Case("own-networks", ("inbound",), None, {**REFUSED, "client_address": "127.0.0.1"}, REFUSED, BLOCK),
    Case("own-networks", SUBMISSION, None, {"client_address": "127.0.0.1", "sasl_username": "", "encryption_protocol": ""},
         {"sasl_username": "", "encryption_protocol": ""}),
    Case("own-networks", ("both",), None, {**REFUSED, "client_address": "127.0.0.1"}, REFUSED, BLOCK),
    Case("role-mailboxes", MX, None, {**REFUSED, "recipient": "Postmaster@example.org"}, REFUSED, BLOCK),
    Case("partner", MX, None, {**REFUSED, "ccert_fingerprint": FINGERPRINT},
         {**REFUSED, "ccert_fingerprint": OTHER_FINGERPRINT}, BLOCK, f"list add partner-certificates {FINGERPRINT}"),
    Case("allowed", MX, None, {**REFUSED, "client_address": "198.18.7.1"}, {**REFUSED, "client_address": "198.18.7.2"},
         BLOCK, "list add allow 198.18.7.1"),
    Case("allowed-by-recipient", MX, None, {**REFUSED, "recipient": "likes@example.org"}, REFUSED,
         BLOCK, "list add allow/likes@example.org @blocked.example"),
    Case("submitted", ("both",), None, {**REFUSED, "sasl_username": "alice@example.com"}, REFUSED, BLOCK),

    # ---- block lists
    Case("blocked-client", MX, r"554 5\.7\.1 Your address is blocked here, 198\.18\.7\.11",
         {"client_address": "198.18.7.11"}, {"client_address": "198.18.7.12"}, "list add block 198.18.7.11"),
    Case("blocked-sender", MX, r"554 5\.7\.1 Your sender address is blocked here, x@blocked\.example", REFUSED,
         {"sender": "x@sub.blocked.example"}, BLOCK),
    Case("blocked-helo", MX, r"554 5\.7\.1 Your HELO name is blocked here, spam\.example", {"helo_name": "spam.example"},
         {"helo_name": "ham.example"}, "list add block spam.example"),
    Case("blocked-by-recipient", MX, r"554 5\.7\.1 The recipient does not accept your mail",
         {"sender": "x@unloved.example", "recipient": "hates@example.org"}, {"sender": "x@unloved.example"},
         "list add block/hates@example.org unloved.example"),

    # ---- countries: 198.51.100.0/24 is in KP, 192.0.2.0/24 in DE
    Case("country-blocked", MX, r"554 5\.7\.1 Mail from your country is not accepted here, KP",
         {"client_address": "198.51.100.7"}, {"client_address": "192.0.2.7"},
         "list add country-block/example.org KP"),
    Case("dns-lists", MX, r"554 5\.7\.1 Your address is on a block list, zen Listed since today",
         {"client_address": "198.51.100.66"}, {"client_address": "198.51.100.67"}),
    Case("domain-lists", MX, r"554 5\.7\.1 Your domain is on a block list, bad\.example dbl",
         {"sender": "x@bad.example"}, {"sender": "x@mail.example"}),
    Case("client-without-name", MX, r"550 5\.7\.25 Your address has no name that leads back to it, 192\.0\.2\.10 unverified",
         {"client_name": "unknown", "reverse_client_name": "mail.example"},
         {"client_name": "mail.example", "reverse_client_name": "mail.example"}),
    Case("sender-without-mx", MX, r"550 5\.1\.8 Your sender domain takes no mail, gone\.example nxdomain",
         {"sender": "x@gone.example"}, {"sender": "x@mail.example"}),
    Case("recipient-without-mx", USERS, r"550 5\.1\.2 The recipient's domain takes no mail, gone\.example nxdomain",
         {"recipient": "x@gone.example"}, {"recipient": "x@mail.example"}),
    Case("spf-fail", MX, r"550 5\.7\.23 SPF check failed, Ask the postmaster of fail\.example",
         {"sender": "x@fail.example"}, {"sender": "x@mail.example"}),
    Case("spf-permerror", MX, r"550 5\.7\.24 SPF record of wrong\.example is wrong",
         {"sender": "x@wrong.example"}, {"sender": "x@fail.example"}),
    Case("spf-temperror", MX, r"451 4\.7\.24 SPF record of away\.example cannot be read now",
         {"sender": "x@away.example"}, {"sender": "x@fail.example"}),
    Case("received-spf", MX, r"PREPEND Received-SPF: fail \(.*", {**DATA, "sender": "x@fail.example"},
         {**DATA, "sender": "x@fail.example", "client_address": "127.0.0.1"}),
    Case("helo-without-address", MX, r"554 5\.7\.1 Your HELO name has no address, gone\.example",
         {"helo_name": "gone.example"}, {"helo_name": "mail.example"}),
    Case("country-only", MX, r"554 5\.7\.1 Mail from your country is not accepted for this domain, KP",
         {"client_address": "198.51.100.7"}, {"client_address": "192.0.2.7"},
         "list add country-checked example.org", "list add country-only/example.org DE"),
    Case("login-country", USERS, r"HOLD Login from KP", {"client_address": "198.51.100.7"},
         {"client_address": "192.0.2.7"}, "list add login-countries DE"),

    # ---- lies
    Case("forged-helo", MX, r"554 5\.7\.1 You are not this host, mx\.example\.org", {"helo_name": "mx.example.org"},
         {"helo_name": "mx.example.net"}, "list add own-names mx.example.org"),
    Case("forged-sender", MX, r"554 5\.7\.1 Mail from this domain is accepted from its own users only, example\.org",
         {"sender": "boss@example.org"}, {"sender": "boss@example.net"}, "list add own-domains example.org"),
    Case("sender-owner", USERS, r"554 5\.7\.1 Sender address does not belong to this login, bob@example\.com",
         {"sender": "bob@example.com"}, {"sender": "sales@example.com"},
         "map set owners sales@example.com alice@example.com", "map set owners bob@example.com bob@example.com"),
    Case("sender-same", USERS, r"554 5\.7\.1 Sender address is not that of this login, bob@example\.com",
         {"sender": "bob@example.com"}, {"sender": "Alice@Example.COM"}),
    Case("sender-domain", USERS, r"554 5\.7\.1 Sender domain is not that of this login, example\.net",
         {"sender": "alice@example.net"}, {"sender": "bob@example.com"}),

    # ---- encryption, login
    Case("encrypted-only", MX, r"554 5\.7\.10 Encryption is needed for this recipient", {"recipient": "a@secret.example"},
         {"recipient": "a@secret.example", "encryption_protocol": "TLSv1.3", "encryption_keysize": "256"},
         "list add encrypted-only secret.example"),
    Case("partners-only", MX, r"554 5\.7\.1 Only known partners may write to this recipient",
         {"recipient": "orders@example.org", "ccert_fingerprint": OTHER_FINGERPRINT},
         {"recipient": "orders@example.org", "ccert_fingerprint": FINGERPRINT},
         "list add partners-only orders@example.org", f"list add partner-certificates {FINGERPRINT}"),
    Case("weak-encryption", MX, r"554 5\.7\.10 Your encryption is too weak, TLSv1 RC4",
         {"encryption_protocol": "TLSv1", "encryption_cipher": "RC4", "encryption_keysize": "56"},
         {"encryption_protocol": "TLSv1", "encryption_cipher": "AES", "encryption_keysize": "128"}),
    Case("encryption", USERS, r"530 5\.7\.0 Encryption is needed, use STARTTLS or port 465", {"encryption_protocol": ""},
         {"encryption_protocol": "", "client_address": "127.0.0.1"}),
    Case("login", USERS, r"530 5\.7\.0 Authentication is needed", {"sasl_username": ""}, {}),
    Case("user-weak-encryption", USERS, r"554 5\.7\.10 Your encryption is too weak, TLSv1\.1 AES",
         {"encryption_protocol": "TLSv1.1", "encryption_cipher": "AES"}, {"encryption_protocol": "TLSv1.2"}),
    Case("weak-login", USERS, r"534 5\.7\.9 Authentication mechanism is too weak, cram-md5", {"sasl_method": "cram-md5"},
         {"sasl_method": "plain"}),
    Case("certificate", USERS, r"554 5\.7\.1 Your login needs its certificate",
         {"sasl_username": "safe@example.com", "ccert_fingerprint": OTHER_FINGERPRINT},
         {"sasl_username": "safe@example.com", "ccert_fingerprint": FINGERPRINT},
         "list add certificate-logins safe@example.com", f"map set certificates safe@example.com {FINGERPRINT}"),
    Case("blocked-login", USERS, r"554 5\.7\.1 Sending is switched off for this login, ask your postmaster",
         {"sasl_username": "stolen@example.com"}, {}, "list add blocked-logins stolen@example.com"),

    # ---- size, recipients
    Case("size", MX, r"554 5\.3\.4 Message is larger than 50 MB", {"size": "52428801"}, {"size": "52428800"}),
    Case("size", USERS, r"554 5\.3\.4 Message is larger than 50 MB", {"size": "52428801"}, {"size": "52428800"}),
    Case("size-of-recipient", MX, r"554 5\.3\.4 Message is larger than this recipient takes, 5 MB",
         {"recipient": "small@example.org", "size": "6000000"}, {"recipient": "large@example.org", "size": "6000000"},
         "list add small-mail small@example.org"),
    Case("size-of-unknown", MX, r"554 5\.3\.4 Message is larger than 20 MB, your address has no name",
         {"client_name": "unknown", "size": "21000000"}, {"size": "21000000"}),
    Case("user-size-to-many", USERS, r"554 5\.3\.4 Message is larger than 10 MB, too large for 21 recipients",
         {**TO_MANY, "recipient_count": "21", "size": "11000000"},
         {**TO_MANY, "recipient_count": "20", "size": "11000000"}),
    Case("recipients", MX, r"554 5\.5\.3 Too many recipients for one message, 501", {**TO_MANY, "recipient_count": "501"},
         {**TO_MANY, "recipient_count": "500"}),
    Case("user-recipients", USERS, r"554 5\.5\.3 Too many recipients for one message, 201",
         {**TO_MANY, "recipient_count": "201"}, {**TO_MANY, "recipient_count": "2"}),
    Case("blocked-recipient", USERS, r"554 5\.7\.1 Mail to this recipient is not sent from here, x@never\.example",
         {"recipient": "x@never.example"}, {}, "list add blocked-recipients never.example"),

    # ---- score
    Case("score", MX, r"554 5\.7\.1 Your host does not look like a mail server, score 6",
         {"client_name": "unknown", "reverse_client_name": "pool-7.isp.example", "helo_name": "[192.0.2.10]"},
         {"client_name": "unknown", "reverse_client_name": "pool-7.isp.example"}),
    Case("greylist", MX, r"DEFER_IF_PERMIT 4\.7\.1 Greylisted, try again in (300|2\d\d) s", {"client_name": "unknown"}, {}),
    Case("user-score", USERS, r"HOLD Looks like a stolen password, score 5",
         {**TO_MANY, "client_name": "unknown", "recipient_count": "51", "sender": "a@example.net"},
         {**TO_MANY, "client_name": "unknown", "recipient_count": "51"}),

    # ---- the other actions
    Case("hold", MX, "HOLD Mail of this domain is reviewed", {"sender": "a@review.example"}, {}),
    Case("hold-nearly-over", USERS, "HOLD Sending limit nearly reached, 10 left", DATA,
         {**DATA, "sasl_username": "bob@example.com"}, "limit set user-hourly user:alice@example.com 10/1h"),
    Case("redirect", MX, "REDIRECT successor@example.org", {"recipient": "former@example.org"}, {}),
    Case("redirect", SUBMISSION, "REDIRECT successor@example.org", {"recipient": "former@example.org"}, {}),
    Case("filter", MX, r"FILTER smtp:\[127\.0\.0\.1\]:10025", {"sender": "a@scan.example"}, {}),
    Case("filter", SUBMISSION, "FILTER bulk:", {"sasl_username": "letter@example.com"}, {},
         "list add newsletter-logins letter@example.com"),
    Case("restrict", MX, "strict", {"client_name": "unknown", "sender": ""}, {"client_name": "unknown"}),
    Case("restrict", SUBMISSION, "strict", {"client_name": "unknown", "sender": ""}, {"client_name": "unknown"}),
    Case("bcc", MX, "BCC archive@example.org", {"recipient": "a@archived.example"}, {}),
    Case("bcc", SUBMISSION, "BCC archive@example.org", {"sasl_username": "a@archived.example"}, {}),
    Case("warn", MX, "WARN bounce with several recipients", {**TO_MANY, "recipient_count": "2", "sender": ""},
         {**TO_MANY, "recipient_count": "2"}),
    Case("warn", SUBMISSION, "WARN 101 recipients from alice@example.com", {**TO_MANY, "recipient_count": "101"},
         {**TO_MANY, "recipient_count": "2"}),
    Case("prepend", MX, r"PREPEND X-Gatehouse: unencrypted from 192\.0\.2\.10", DATA,
         {**DATA, "encryption_protocol": "TLSv1.3"}),
    Case("prepend", SUBMISSION, "PREPEND X-Authenticated: alice@example.com", DATA, {}),
]


class Limit:
    """With a rate of 0 for `subject` (live) the request is answered `reply`; without, DUNNO."""

    def __init__(self, limit, rule, samples, reply, request, field):
        self.limit, self.rule, self.samples, self.reply = limit, rule, samples, reply
        self.request, self.field = request, field


def limit(name, rule, samples, reply, request, field="user:192.0.2.10"):
    request = {**(USER if samples == USERS else {}), **request}
    return Limit(name, rule, samples, reply, request, field)


END = {"stage": "END-OF-MESSAGE"}
ALICE = "user:alice@example.com"
AT_HOME = {"client_address": "127.0.0.1", "sasl_username": "", **DATA}
INBOUND = ("inbound",)
LIMITS = [
    limit("client-connections", "limits", MX, "DEFER_IF_PERMIT 4.7.0 Too many connections from your address", {}),
    limit("client-connections", "limits", USERS, "DEFER_IF_PERMIT 4.7.0 Too many connections from your address", {}),
    limit("client-messages", "limits", MX, "DEFER_IF_PERMIT 4.7.1 Too many messages from your address", DATA),
    limit("client-messages", "limits", USERS, "DEFER_IF_PERMIT 4.7.1 Too many messages from your address", DATA),
    limit("network-messages", "limits", MX, "DEFER_IF_PERMIT 4.7.1 Too many messages from your network", DATA,
          "user:192.0.2.0/24"),
    limit("network-messages", "limits", USERS, "DEFER_IF_PERMIT 4.7.1 Too many messages from your network", DATA,
          "user:192.0.2.0/24"),
    limit("sender-messages", "limits", MX, "DEFER_IF_PERMIT 4.7.1 Too many messages from this sender", DATA,
          "user:sender@example.net"),
    limit("sender-messages", "limits", USERS, "DEFER_IF_PERMIT 4.7.1 Too many messages from this sender", DATA, ALICE),
    limit("domain-messages", "limits", INBOUND, "DEFER_IF_PERMIT 4.7.1 Too many messages from this domain", DATA,
          "domain:example.net"),
    limit("domain-messages", "inbound-limits", ("both",), "DEFER_IF_PERMIT 4.7.1 Too many messages from this domain", DATA,
          "domain:example.net"),
    limit("client-bytes", "limits", INBOUND, "421 4.7.1 Too much data from your address", END),
    limit("client-bytes", "inbound-limits", ("both",), "421 4.7.1 Too much data from your address", END),
    limit("recipient-mail", "limits", INBOUND, "DEFER_IF_PERMIT 4.2.1 Too much mail for this recipient", {},
          "user:recipient@example.org"),
    limit("recipient-mail", "inbound-limits", ("both",), "DEFER_IF_PERMIT 4.2.1 Too much mail for this recipient", {},
          "user:recipient@example.org"),
    limit("all-messages", "limits", MX, "DEFER_IF_PERMIT 4.3.2 This host is busy", DATA, "default"),
    limit("all-messages", "limits", USERS, "DEFER_IF_PERMIT 4.3.2 This host is busy", DATA, "default"),
    limit("client-refused", "limits", MX, "DEFER_IF_PERMIT 4.7.1 Too many refused requests from your address", {}),
    limit("client-refused", "limits", USERS, "DEFER_IF_PERMIT 4.7.1 Too many refused requests from your address", {}),
    limit("role-mail", "role-limit", MX, "DEFER_IF_PERMIT 4.7.1 Too much mail to this mailbox",
          {"recipient": "abuse@example.org"}),
    limit("host-hourly", "own-networks-limit", USERS, "DEFER_IF_PERMIT 4.7.1 Sending limit of this host reached", AT_HOME,
          "user:127.0.0.1"),
    limit("user-hourly", "user-limits", USERS, "DEFER_IF_PERMIT 4.7.1 Sending limit reached", DATA, ALICE),
    limit("user-daily", "user-limits", USERS, "DEFER_IF_PERMIT 4.7.1 Daily sending limit reached", DATA, ALICE),
    limit("user-messages", "user-limits", USERS, "DEFER_IF_PERMIT 4.7.1 Too many messages, try again in an hour", DATA,
          ALICE),
    limit("user-bytes", "user-limits", USERS, "421 4.7.1 Too much data, try again tomorrow", END, ALICE),
    limit("domain-daily", "user-limits", USERS, "DEFER_IF_PERMIT 4.7.1 Sending limit of your domain reached",
          {**DATA, "sasl_username": "a@example.net", "sender": "a@example.net"}, "domain:example.net"),
    limit("user-refused", "user-limits", USERS, "DEFER_IF_PERMIT 4.7.1 Too many refused messages", {}, ALICE),
    limit("user-bounces", "bounce-limit", USERS, "DEFER_IF_PERMIT 4.7.1 Too many messages without a sender",
          {**DATA, "sender": ""}, ALICE),
    limit("user-nightly", "night-limit", USERS, "DEFER_IF_PERMIT 4.7.1 Sending limit of the night reached", DATA, ALICE),
]


# ---- samples as they are, and with a rule switched on ----

def text_of(sample):
    return (ROOT / f"conf/{sample}.conf").read_text()


def paragraphs(text):
    return re.split(r"\n\n+", text)


def rules_of(text):
    """name -> (its paragraph, as shipped)"""
    return {name: part for part in paragraphs(text) for name in re.findall(r"^#?\[rule (.+)\]$", part, re.M)}


def is_shipped_on(part):
    return not EXAMPLE.search(part) and "mode = shadow" not in part


def switched_on(sample, rule):
    """The sample with this rule in force; lists that are there as examples, too."""
    def change(part):
        if f"[rule {rule}]" in part:
            part = part.replace("\nmode = shadow", "")
        elif "#[list" not in part and "#[dnsbl" not in part:
            return part
        return EXAMPLE.sub("", part)
    return "\n\n".join(change(part) for part in paragraphs(text_of(sample)))


def night():
    """A time zone in which it is three o'clock in the morning."""
    offset = (time.gmtime().tm_hour - 3) % 24
    return {"TZ": f"NIGHT{offset if offset <= 12 else offset - 24:+d}"}


@pytest.fixture(scope="module")
def shipped(workdir, country_database):
    """shipped(sample): policyd with the sample as it is; started once."""
    started = {}

    def get(sample):
        if sample not in started:
            started[sample] = Policyd(workdir / sample, conf_file=ROOT / f"conf/{sample}.conf",
                                      options=[f"geoip_database={country_database}"])
        return started[sample]

    yield get
    for policyd in started.values():
        policyd.stop()


@pytest.fixture(scope="module")
def resolver():
    """The address of a name server that knows the DNS lists of the samples, and some domains."""
    zone = address_list("zen.spamhaus.org", {"198.51.100.66": {"A": ["127.0.0.2"], "TXT": ["Listed since today"]}})
    server = DNS(zone | address_list("list.dnswl.org") | {
        "bad.example.dbl.spamhaus.org": {"A": ["127.0.1.2"]},
        "mail.example": {"A": ["8.8.4.4"]},
        "fail.example": {"TXT": ["v=spf1 -all exp=why.fail.example"]},
        "why.fail.example": {"TXT": ["Ask the postmaster of %{d}"]},
        "wrong.example": {"TXT": ["v=spf1 ip4:192.0.2.0/33 -all"]},
        "away.example": "SERVFAIL",
    })
    yield server.resolver
    server.stop()


def check(*arguments, program=PROGRAM):
    done = subprocess.run([program, "-t", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


# ---- tests ----

@pytest.mark.parametrize("sample", [path.stem for path in sorted((ROOT / "conf").glob("*.conf"))])
def test_samples_are_correct(sample):
    path = ROOT / f"conf/{sample}.conf"
    program = BUILD / f"bin/gatehouse-{PROGRAMS.get(sample, 'policyd')}"
    assert check("-c", path, program=program) == (0, f"{path} is correct\n")


@pytest.mark.parametrize("sample", SAMPLES)
def test_their_examples_are_correct(sample, workdir):
    path = workdir / f"{sample}-all.conf"
    path.write_text(EXAMPLE.sub("", text_of(sample)))
    assert check("-c", path)[0] == 0


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_rule_and_limit_is_tested(sample):
    text = text_of(sample)
    tested = {case.rule for case in CASES + LIMITS if sample in case.samples}
    rules = {name for name, part in rules_of(text).items() if not re.search(r"^#?then = score", part, re.M)}
    assert rules == tested
    assert set(re.findall(r"^\[limit (.+)\]$", text, re.M)) == {one.limit for one in LIMITS if sample in one.samples}


@pytest.mark.parametrize("sample, case", [pytest.param(sample, case, id=f"{sample}-{case.rule}")
                                          for case in CASES for sample in case.samples])
def test_rule(sample, case, shipped, start_policyd, country_database, resolver):
    policyd = shipped(sample)
    if not is_shipped_on(rules_of(text_of(sample))[case.rule]):
        assert case.asks(policyd, case.acts) == "DUNNO"  # nobody is surprised
        policyd = start_policyd(switched_on(sample, case.rule),
                                options=[f"geoip_database={country_database}", f"resolver={resolver}"])
    for command in case.setup:
        policyd.gatectl(*command.split())
    wait_for(lambda: case.answers_well(policyd), f"{case.rule} answers; the log:\n{policyd.log[-2000:]}", timeout=3)


_port = itertools.count(50000)


@pytest.mark.parametrize("sample, case", [pytest.param(sample, case, id=f"{sample}-{case.limit}")
                                          for case in LIMITS for sample in case.samples])
def test_limit(sample, case, start_policyd, shipped):
    policyd = shipped(sample)
    if not is_shipped_on(rules_of(text_of(sample))[case.rule]):
        policyd = start_policyd(switched_on(sample, case.rule), env=night())
    request = dict(case.request)
    stage = request.pop("stage", "RCPT")
    port = str(next(_port))  # a connection of its own
    policyd.gatectl("limit", "set", case.limit, case.field, "0/1h")
    try:
        assert re.fullmatch(re.escape(case.reply) + f".*{REFERENCE}", policyd.ask(stage, client_port=port, **request))
    finally:
        policyd.gatectl("limit", "unset", case.limit, case.field)
    assert policyd.ask(stage, client_port=port, **request) == "DUNNO"


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_shadow_rule_says_what_it_would_have_done(sample, shipped):
    policyd = shipped(sample)
    rule, request = (("score", {"client_name": "unknown", "reverse_client_name": "dyn-1.example", "helo_name": "[192.0.2.1]"})
                     if sample == "inbound" else ("sender-domain", {**USER, "sender": "a@elsewhere.example"}))
    assert policyd.ask(**request) == "DUNNO"
    wait_for(lambda: any(f"{rule}:reject" in one.get("shadow", "") for one in policyd.decisions()), "it is in the log")


def test_a_message_to_postmaster_and_abuse_passes_although_another_recipient_was_refused(shipped):
    policyd = shipped("inbound")
    policyd.gatectl("list", "add", "block", "198.18.7.66")
    request = {"client_address": "198.18.7.66", "instance": "4711.1"}
    wait_for(lambda: policyd.ask(client_address="198.18.7.66") != "DUNNO", "the client is blocked")
    assert policyd.ask(recipient="bob@example.org", **request).startswith("554 5.7.1 Your address is blocked here")
    assert policyd.ask(recipient="postmaster@example.org", **request) == "DUNNO"
    assert policyd.ask(recipient="abuse@example.org", **request) == "DUNNO"
    assert policyd.ask("DATA", recipient="", recipient_count="2", **request) == "DUNNO"


def test_a_class_has_its_own_rate(start_policyd):
    policyd = start_policyd(text_of("submission"))
    many = {**USER, "recipient": "", "recipient_count": "150"}
    letter = {**many, "sasl_username": "newsletter@example.com", "sender": "newsletter@example.com"}
    assert policyd.ask("DATA", **many) == "DUNNO"
    assert policyd.ask("DATA", **many).startswith("DEFER_IF_PERMIT 4.7.1 Sending limit reached")
    assert policyd.ask("DATA", **letter) == "DUNNO"
    assert policyd.ask("DATA", **letter) == "DUNNO"
    policyd.gatectl("class", "set", "alice@example.com", "business")
    wait_for(lambda: policyd.ask("DATA", **many) == "DUNNO", "the class is in force")
