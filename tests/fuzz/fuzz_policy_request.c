/* tests/fuzz/fuzz_policy_request.c - any request through the whole of policyd, with rules of every kind and the memory
 * store: there is always a reply, it can be sent, and the decision line is one line. */
#include <stdint.h>

#include "tests/fakes/policyd_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Requests until everything is begun anew: memory stays bounded, and limits become full and empty. */
enum { ROUNDS = 2000 };

static const char config[] =
    "[list block]\nentries = 192.0.2.0/28, .spam.example, bad@example.com, !good.spam.example\n"
    "[map owners]\nentry.a@example.com = alice, b@example.com\n"
    "[classes]\n@example.com = gold\n"
    "[limit user]\nkey = sasl_username\ncount = recipients\nrate = 20/1h\nrate.class.gold = 30/1h\n"
    "rate.domain.example.com = 5/1h\nover = defer 4.7.1 Full, {limit.user.used} {sasl_username}\n"
    "[limit all]\nkey = client_net, sender_domain\nrate = 100/1m\ncharge = rcpt\n"
    "[limit conn]\nkey = client_address\ncount = connections\nrate = 50/1h\n"
    "[limit bytes]\nkey = sender\ncount = bytes\nrate = 1M/1h\nover = hold {size} of {sender}\n"
    "[limit refused]\nkey = helo_name\ncount = refused\nrate = 10/1h\nover = reject 5.7.1 Refused, {helo_name}\n"
    "[rule limits]\nthen = limit user, all, conn, bytes, refused\n"
    "[rule blocked]\nwhen = client_address in list:block or sender in list:block or helo_name in "
    "list:block\nthen = reject 5.7.1 Blocked, {client_address} {sender} {helo_name}\n"
    "[rule keyed]\nwhen = sender in list:block/{recipient}\nthen = reject Not wanted by {recipient}\n"
    "[rule owner]\nwhen = authenticated and sasl_username not in map:owners/{sender}\n"
    "then = warn {sasl_username} is not {sender}\n"
    "[rule far]\nwhen = country = KP\nthen = reject Far\ntrouble = skip\n"
    "[rule points]\nwhen = helo_is_address or client_name matches \"/[0-9]+.*dyn/\"\nthen = score +2\n"
    "[rule copy]\nwhen = sender_domain = copy.example\nthen = bcc {sender}\n"
    "[rule elsewhere]\nwhen = recipient_domain = copy.example\nthen = redirect {recipient}\n"
    "[rule mark]\nwhen = score > 1\nthen = prepend X-Seen: {protocol_state} {size} {queue_id} {hour}\n"
    "[rule context]\nwhen = policy_context = strict\nthen = restrict strict\n"
    "[rule later]\nwhen = ccert_subject is set\nthen = defer 450 4.7.0 Later, {ccert_subject} "
    "{ccert_issuer}\n"
    "[rule shadow]\nmode = shadow\nwhen = sasl_domain != sender_domain\nthen = discard {sender}\n";

static struct policyd_case test;
static unsigned rounds;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void begin(void)
{
    static bool is_open;

    if (is_open && ++rounds < ROUNDS)
        return;
    if (is_open)
        policyd_case_close(&test);
    policyd_case_open(&test, config);
    fake_store_set(test.store, "list:block/bob@example.org", "eve@example.net", "by=bob");
    is_open = true;
    rounds = 0;
}

/* The reply leaves as it is: nothing has to be made a DUNNO of. */
static void check_reply(struct slice reply)
{
    AUTO_BUF sent = BUF_INIT(POLICY_REPLY_MAX);
    AUTO_BUF want = BUF_INIT(POLICY_REPLY_MAX);

    require(policy_reply(&sent, reply) == 0);
    buf_printf(&want, "action=%.*s\n\n", SLICE_ARG(slice_trim(reply)));
    require(slice_equal(buf_slice(&sent), buf_slice(&want)));
}

static void check_line(struct slice line)
{
    require(slice_starts_with(line, SLICE("decision queue_id=")));
    for (size_t i = 0; i < line.len; i++)
        require(ascii_is_print(line.ptr[i]));
}

static void explained(UNUSED void *arg, const struct decided *decided)
{
    require(decided != NULL);
    check_reply(decided->reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF reply = BUF_INIT(POLICY_REPLY_MAX);
    struct policy_request req;
    size_t used;

    if (policy_parse((struct slice){ (const char *)data, size }, &req, &used) != PROTO_DONE)
        return 0;
    begin();
    size_t lines = test.store->lines;
    require(inquiry_start(test.server, &req, NULL, &reply, NULL, NULL) == NULL);
    check_reply(buf_slice(&reply));
    require(test.store->lines == lines + 1);
    check_line(buf_slice(&test.store->log));
    inquiry_explain(test.server, &req, NULL, explained, NULL);
    require(test.server->active == NULL);
    fake_clock_advance(&test.clock, 20);
    return 0;
}
