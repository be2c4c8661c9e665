/* tests/unit/contentd/test_config.c - contentd.conf: every mistake has its place and a suggestion. */
#include "contentd/scan_values.h"
#include "tests/fakes/contentd_load.h"
#include "tests/unit/unit.h"

#include <math.h>

#define GOOD                                                                                       \
    "[scanner clam]\nkind = clamd unix:/run/clamd.ctl\n"                                           \
    "[scanner spam]\nkind = rspamd inet:127.0.0.1:11333\nweight = 1.5\n"                           \
    "[chain full]\nscanners = clam, spam\ntag = 6\nquarantine = 10\nreject = 15\n"                 \
    "[apply]\n* = full\n"

static const struct {
    const char *what, *text, *want; /* what the errors must contain; NULL: no error */
} cases[] = {
    { "all is well", GOOD, NULL },
    { "nothing at all", "", NULL },
    { "unknown scanner",
      "[scanner clam]\nkind = clamd unix:/c\n[chain a]\nscanners = clamm, clam\n[apply]\n* = a\n",
      "contentd.conf:4:12: there is no scanner \"clamm\"; did you mean clam?" },
    { "a scanner twice",
      "[scanner clam]\nkind = clamd unix:/c\n[chain a]\nscanners = clam, clam\n[apply]\n* = a\n",
      "4:18: scanner clam is named twice" },
    { "scanner in no chain", "[scanner clam]\nkind = clamd unix:/c\n[chain a]\n[apply]\n* = a\n",
      "1:2: no chain names this scanner" },
    { "chain in no apply", GOOD "[chain b]\nscanners = clam\n",
      "13:2: warning: no line of [apply] names this chain" },
    { "no *", "[chain a]\n[apply]\n@example.com = a\n",
      "2:2: mail to whom no line names would not be scanned" },
    { "no [apply]", "[chain a]\n",
      "1:2: mail to whom no line names would not be scanned: add `* = a`" },
    { "unknown chain", "[chain full]\n[apply]\n* = ful\n",
      "3:5: there is no chain \"ful\"; did you mean full?" },
    { "reject below tag", "[chain a]\ntag = 6\nreject = 5\n[apply]\n* = a\n",
      "3:10: reject = 5 lies below tag = 6" },
    { "quarantine below tag", "[chain a]\ntag = 6\nquarantine = 5\n[apply]\n* = a\n",
      "3:14: quarantine = 5 lies below tag = 6" },
    { "reject below quarantine", "[chain a]\nquarantine = 6\nreject = 5\n[apply]\n* = a\n",
      "3:10: reject = 5 lies below quarantine = 6" },
    { "unknown kind",
      "[scanner x]\nkind = clamm unix:/c\n[chain a]\nscanners = x\n[apply]\n* = a\n",
      "2:8: kind: there is no kind of scanner \"clamm\"; did you mean clamd?" },
    { "no address", "[scanner x]\nkind = clamd\n[chain a]\nscanners = x\n[apply]\n* = a\n",
      "an address is missing after clamd" },
    { "bad address", "[scanner x]\nkind = clamd tcp:1\n[chain a]\nscanners = x\n[apply]\n* = a\n",
      "2:14: " },
    { "bad virus action", "[chain a]\nvirus = rejct\n[apply]\n* = a\n", "did you mean reject?" },
    { "virus = deliver", "[chain a]\nvirus = deliver\n[apply]\n* = a\n",
      "there is no such action \"deliver\"" },
    { "bad code", "[chain a]\nvirus = reject 450 no\n[apply]\n* = a\n", "2:16: virus: " },
    { "quarantine takes no text", "[chain a]\nvirus = quarantine it\n[apply]\n* = a\n",
      "quarantine takes nothing after it" },
    { "bad number", "[chain a]\ntag = six\n[apply]\n* = a\n", "2:7: tag: not a number" },
    { "bad headers", "[chain a]\nheaders = viruss\n[apply]\n* = a\n", "did you mean virus?" },
    { "a score without use",
      "[scanner s]\nkind = spamd inet:127.0.0.1:783\n[chain a]\nscanners = s\n[apply]\n* = a\n",
      "3:2: warning: what s finds changes nothing here but header fields" },
    { "a name that is taken",
      "[scanner policy]\nkind = clamd unix:/c\n[chain a]\nscanners = policy\n[apply]\n* = a\n",
      "1:2: policy.* are facts that have another meaning" },
    { "unknown scanner in a rule", GOOD "[rule r]\nwhen = clan.result = virus\nthen = accept\n",
      "14:8: there is no scanner \"clan\"; did you mean \"clam\"?" },
    { "connections of an unknown list",
      GOOD "[list dialup]\n[rule r]\nwhen = connections.dialupp > 5\nthen = tempfail\n",
      "15:20: there is no list \"dialupp\"; did you mean \"dialup\"?" },
    { "connections of a list of names",
      GOOD "[list d]\nentries = example.com\n[rule r]\nwhen = connections.d > 5\nthen = tempfail\n",
      "16:20: the list \"d\" has no address or network; connections are counted by" },
    { "connections of a list of addresses, and others",
      GOOD "[list d]\nentries = example.com, 192.0.2.0/24\n[rule r]\nwhen = connections.d > 5\n"
           "then = tempfail\n",
      NULL },
    { "a header field's name with a colon", GOOD "[rule r]\nthen = remove_header X-Spam-Flag:\n",
      "14:22: remove_header takes the name of a header field, without a colon" },
    { "a header field's name", GOOD "[rule r]\nthen = remove_header X-Spam-Flag\n", NULL },
    { "a milter that is contentd",
      "listen = inet:127.0.0.1:10041\n[scanner m]\nkind = milter inet:127.0.0.1:1, inet:127.0.0.1:10041\n"
      "[chain a]\nscanners = m\n[apply]\n* = a\n",
      "3:33: contentd itself listens there" },
    { "a milter that is contentd, after blanks",
      "listen = unix:/run/c\n[scanner m]\nkind = milter   unix:/run/m unix:/run/c\n"
      "[chain a]\nscanners = m\n[apply]\n* = a\n",
      "3:29: contentd itself listens there" },
    { "a milter beside contentd",
      "listen = inet:127.0.0.1:10041\n[scanner m]\nkind = milter inet:127.0.0.1:10042\n"
      "[chain a]\nscanners = m\n[apply]\n* = a\n",
      NULL },
    { "release to contentd", "listen = unix:/run/c\nrelease = unix:/run/c\n",
      "2:11: release: contentd itself listens there" },
    { "release without a port", "release = inet:127.0.0.1\n", "1:11: release: " },
    { "one directory for two",
      "release = unix:/r\nquarantine_directory = /var/q\noutbox_directory = /var/q\n",
      "3:20: outbox_directory: it is quarantine_directory, too" },
    { "no password file",
      "[scanner s]\nkind = rspamd inet:127.0.0.1:11333\npassword_file = /nonexistent/x\n"
      "[chain a]\nscanners = s\ntag = 6\n[apply]\n* = a\n",
      "3:17: password_file: /nonexistent/x: No such file or directory" },
    { "no list file", "[list d]\nfile = /nonexistent/x\n",
      "2:8: warning: /nonexistent/x: No such file or directory; until it can be read its entries are" },
    { "a number of connections is no text",
      GOOD "[list d]\n[rule r]\nwhen = connections.d = many\nthen = tempfail\n", "15:24: " },
    { "skip of an unknown scanner", GOOD "[rule r]\nthen = skip spamm\n",
      "14:13: there is no scanner \"spamm\"" },
    { "unknown result", GOOD "[rule r]\nwhen = clam.result = viruss\nthen = accept\n", "viruss" },
    { "a fact too late", GOOD "[rule r]\nwhen = clam.result = virus\nthen = reject\nstage = data\n",
      "can never run" },
    { "an action too early", GOOD "[rule r]\nthen = quarantine\nstage = rcpt\n",
      "quarantine acts at data, end-of-message only" },
    { "a rule that skips a scanner for malware", GOOD "[rule r]\nthen = skip  clam\n",
      "contentd.conf:14:14: warning: clam looks for malware: mail that this rule applies to gets "
      "past it" },
    { "the same at the end, when all rules are in shadow mode",
      "mode = shadow\n" GOOD "[rule r]\nthen = skip clam\nstage = end-of-message\n",
      "15:13: warning: clam looks for malware" },
    { "a rule in shadow mode skips nothing", GOOD "[rule r]\nthen = skip clam\nmode = shadow\n",
      NULL },
    { "a scanner for spam may be skipped", GOOD "[rule r]\nthen = skip spam\n", NULL },
    { "one that is said to look for malware",
      "[scanner m]\nkind = milter unix:/m\nantivirus = yes\n[chain a]\nscanners = m\n"
      "[apply]\n* = a\n[rule r]\nthen = skip m\n",
      "9:13: warning: m looks for malware" },
    { "one that is said not to",
      "[scanner m]\nkind = clamd unix:/m\nantivirus = no\n[chain a]\nscanners = m\n"
      "[apply]\n* = a\n[rule r]\nthen = skip m\n",
      NULL },
    { "a rule that keeps what no scanner has seen", GOOD "[rule r]\nthen = quarantine odd\n",
      "14:8: warning: at data no scanner has been asked" },
    { "one that keeps it at the end",
      GOOD "[rule r]\nthen = quarantine odd\nstage = end-of-message\n", NULL },
    { "one that can do so only at the end",
      GOOD "[rule r]\nwhen = size > 1\nthen = quarantine odd\n", NULL },
    { "nobody looks for malware anyway",
      "[chain a]\n[apply]\n* = a\n[rule r]\nthen = quarantine odd\n", NULL },
    { "an accept keeps nobody from scanning", GOOD "[rule r]\nthen = accept\n", NULL },
    { "bad network", "internal_networks = 10.0.0.1/8\n", "1:21: internal_networks" },
    { "bad port", "outbound_ports = 0\n", "not a port" },
    { "bad release", "release = 127.0.0.1:25\n", "inet:ADDRESS:PORT" },
};

static void tells_every_mistake_with_its_place(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct contentd_loaded loaded;
        contentd_load_text(&loaded, cases[i].text);
        const char *errors = buf_text(&loaded.errors);
        if (cases[i].want == NULL ? loaded.errors.len > 0 : strstr(errors, cases[i].want) == NULL)
            fail_msg("%s:\n%s", cases[i].what, errors);
        contentd_loaded_free(&loaded);
    }
}

static void chains_are_what_is_written(UNUSED void **state)
{
    struct contentd_loaded loaded;

    contentd_load_text(&loaded,
                       GOOD "[chain boss]\nscanners = spam, clam\nvirus = tempfail 450 Later\n"
                            "spam = scanner\nheaders =\n");
    const struct scan_set *scan = setup_scan(loaded.setup);
    assert_int_equal(2, scan->scanner_count);
    assert_true(scan->scanners[1].weight > 1.49 && scan->scanners[1].weight < 1.51);
    const struct chain *full = chain_find(&scan->chains, SLICE("full"));
    assert_int_equal(2, full->count);
    assert_int_equal(0, full->order[0]);
    assert_int_equal(VERDICT_REJECT, full->virus);
    assert_slice("Message contains malware", full->virus_reply.text);
    assert_true(full->tag > 5.9 && full->reject > 14.9);
    assert_int_equal(CHAIN_VIRUS_HEADERS | CHAIN_SPAM_HEADERS, full->headers);
    const struct chain *boss = chain_find(&scan->chains, SLICE("BOSS"));
    assert_int_equal(1, boss->order[0]);
    assert_int_equal(VERDICT_TEMPFAIL, boss->virus);
    assert_int_equal(450, boss->virus_reply.code);
    assert_true(isinf(boss->tag));
    assert_true(boss->obeys_scanners);
    assert_int_equal(0, boss->headers);
    assert_ptr_equal(full, setup_chain(loaded.setup, SLICE("a@example.org"), 0));
    contentd_loaded_free(&loaded);
}

static void without_chains_nobody_is_scanned(UNUSED void **state)
{
    struct contentd_loaded loaded;

    contentd_load_text(&loaded, "");
    const struct chain *chain = setup_chain(loaded.setup, SLICE("a@example.org"), 0);
    assert_non_null(chain);
    assert_int_equal(0, chain->count);
    contentd_loaded_free(&loaded);
}

static void knows_what_the_rules_need(UNUSED void **state)
{
    static const struct {
        const char *rule;
        scanner_set scanners;
        unsigned mime;
        bool record, recipient, connections;
        unsigned stages;
    } rows[] = {
        { "", 0, 0, false, false, false, 0 },
        { "[rule r]\nwhen = clam.result = virus\nthen = discard\n", 1, 0, false, false, false,
          STAGES_END },
        { "[rule r]\nwhen = score > 3\nthen = discard\n", 3, 0, false, false, false,
          STAGES_DATA | STAGES_END },
        { "[rule r]\nwhen = from is empty\nthen = reject\n", 0, 1, false, false, false,
          STAGES_DATA | STAGES_END },
        { "[rule r]\nwhen = attachment.count > 3\nthen = reject\n", 0, 2, false, false, false,
          STAGES_END },
        { "[rule r]\nwhen = policy.spf = pass\nthen = accept\n", 0, 0, true, false, false,
          STAGES_DATA | STAGES_END },
        { "[list l]\n[rule r]\nwhen = recipient in list:l\nthen = accept\n", 0, 0, false, true,
          false, STAGES_DATA | STAGES_END },
        { "[rule r]\nwhen = from is empty\nthen = skip clam\n", 0, 1, false, false, false,
          STAGES_DATA | STAGES_END },
        /* When others have been cancelled because of what clam found, that must not be taken back. */
        { "[rule r]\nwhen = attachment.count > 3\nthen = skip clam\n", 3, 2, false, false, false,
          STAGES_END },
        { "[rule r]\nwhen = attachment.count > 3\nthen = skip clam\nmode = shadow\n", 0, 2, false,
          false, false, STAGES_END },
        { "[rule r]\nwhen = connections > 3\nthen = tempfail\nstage = connect\n", 0, 0, false,
          false, true, STAGE_CONNECT },
        { "[list l]\n[rule r]\nwhen = connections.l > 3\nthen = tempfail\nstage = connect\n", 0, 0,
          false, false, true, STAGE_CONNECT },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF text = BUF_INIT(4096);
        struct contentd_loaded loaded;
        buf_printf(&text, "%s%s", GOOD, rows[i].rule);
        contentd_load_text(&loaded, buf_text(&text));
        const struct setup *setup = loaded.setup;
        if (loaded.error_count > 0 || setup->named_scanners != rows[i].scanners ||
            setup->names.mime != rows[i].mime || setup->names.record != rows[i].record ||
            setup->names_recipient != rows[i].recipient ||
            setup->names_connections != rows[i].connections ||
            setup->names.stages != rows[i].stages)
            fail_msg("%s%s", rows[i].rule, buf_text(&loaded.errors));
        contentd_loaded_free(&loaded);
    }
}

/* As many lists as a connection can be counted in, and one more. */
static void counts_connections_of_so_many_lists(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(65536);
    struct contentd_loaded loaded;

    for (int i = 0; i <= CONNECTION_LISTS_MAX; i++) {
        buf_printf(&text, "[list l%d]\n[rule r%d]\nwhen = connections.l%d > 5\nthen = tempfail\n",
                   i, i, i);
        contentd_load_text(&loaded, buf_text(&text));
        const char *errors = buf_text(&loaded.errors);
        if (i < CONNECTION_LISTS_MAX ? loaded.error_count > 0
                                     : strstr(errors, "117:2: rules name connections.NAME of more "
                                                      "than 29 lists; those of l29") == NULL)
            fail_msg("%d: %s", i, errors);
        contentd_loaded_free(&loaded);
    }
}

static void the_tables_are_sound(UNUSED void **state)
{
    struct conf_complaint complaint;

    if (!conf_schema_is_sound(&contentd_schema, &complaint))
        fail_msg("%s", complaint.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_every_mistake_with_its_place),
        cmocka_unit_test(chains_are_what_is_written),
        cmocka_unit_test(without_chains_nobody_is_scanned),
        cmocka_unit_test(knows_what_the_rules_need),
        cmocka_unit_test(counts_connections_of_so_many_lists),
        cmocka_unit_test(the_tables_are_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
