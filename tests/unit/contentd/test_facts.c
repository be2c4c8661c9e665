/* tests/unit/contentd/test_facts.c - what rules see of one recipient's message, as conditions that hold or do not. */
#include "contentd/facts/provider.h"
#include "tests/fakes/contentd_case.h"
#include "tests/fakes/contentd_load.h"
#include "tests/unit/unit.h"

#define SCANNERS                                                                                   \
    "[scanner clam]\nkind = clamd unix:/c\n[scanner icap1]\nkind = icap inet:127.0.0.1:1344\n"     \
    "[scanner spam]\nkind = rspamd inet:127.0.0.1:1\n[scanner filter]\nkind = milter unix:/m\n"    \
    "[chain a]\nscanners = clam, spam\ntag = 5\n[chain b]\nscanners = icap1, filter\n"             \
    "[apply]\n* = a\n@other.example = b\n[list friends]\nentries = @example.net\n"                 \
    "[list dialup]\n[list mobile]\n[list late]\n"

enum truth { NO, YES, UNKNOWN };

static const struct {
    const char *when;
    enum truth want;
} cases[] = {
    /* scanners: those of the recipient's chain */
    { "clam.result = virus", YES },
    { "clam.virus = \"Eicar\"", YES },
    { "clam.score is empty", YES },
    { "spam.result = spam", YES },
    { "spam.score >= 7.5", YES },
    { "spam.symbols = \"BAYES_99(3.5)\"", YES },
    { "spam.symbols matches \"URIBL*\"", YES },
    { "spam.symbols matches \"HAM*\"", NO },
    { "icap1.result = none", YES }, /* found something, but is not in the chain */
    { "icap1.virus is empty", YES },
    { "filter.result = none", YES },
    /* the recipient */
    { "recipient = r0@example.org and recipient_domain = example.org and chain = a", YES },
    { "sender in list:friends", YES },
    { "recipient in list:friends", NO },
    /* connections */
    { "connections = 2 and connections.net = 3 and connections.all = 4", YES },
    { "connections.dialup = 5 and connections.mobile = 0", YES },
    { "connections.late >= 0", UNKNOWN }, /* rules did not name it when the client connected */
    /* what every milter knows */
    { "header.Subject = \"Hello\" and header.x-many = \"two\" and header.none is empty", YES },
    { "header.subject = \"HELLO\" and header.x-many in (ONE, three)", YES },
    { "header.subject matches \"hel*\"", YES },
    { "header.subject matches \"/hello/\"", NO },
    { "header.subject matches \"/hello/i\"", YES },
    { "header.X-Coded = \"Grüße\"", YES },
    { "header_count = 4", YES },
    { "client_address is empty and direction = outbound", YES }, /* mail of this host */
    { "authenticated or encrypted or smtputf8", NO },
    { "sender_domain = example.net and recipient_count = 1", YES },
    { "policy.spf is empty", UNKNOWN }, /* nobody has looked */
    { "from is empty", UNKNOWN }, /* could not be read */
};

static enum truth judge(const struct setup *setup, struct contentd_case *c,
                        const struct mime_facts *mime)
{
    static const struct connection_list lists[] = { { SLICE_INIT("dialup"), 5, true },
                                                    { SLICE_INIT("mobile"), 0, true },
                                                    { SLICE_INIT("friends"), 6, false } };
    struct lookups lookups = { .arena = c->arena };
    const struct chain *chain = chain_find(&setup_scan(setup)->chains, SLICE("a"));
    struct fact_subject subject = {
        .of = { .message = c->message,
                .mime = mime,
                .is_outbound = direction_is_outbound(&setup->direction, c->message),
                .mailboxes = setup->parts.config->mailboxes,
                .arena = c->arena },
        .setup = setup,
        .recipient = &c->message->recipients[0],
        .chain = chain,
        .findings = c->findings,
        .connections = connection_counts_copy(
            &(struct connection_counts){ true, 2, 3, 4, lists, COUNT(lists) }, c->arena),
        .membership = { .sets = &setup->parts.core.sets, .lookups = &lookups },
    };
    struct evaluation evaluation;

    assert_true(evaluation_init(&evaluation, setup->book.rules, STAGE_END, c->arena, content_fact));
    evaluation.request = &subject;
    assert_int_equal(EVAL_DONE, evaluation_run(&evaluation));
    if (evaluation.verdict.troubled_count > 0)
        return UNKNOWN;
    return evaluation.verdict.final != NULL ? YES : NO;
}

static void conditions_see_what_there_is(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF text = BUF_INIT(4096);
        struct contentd_loaded loaded;
        struct contentd_case c;
        buf_printf(&text, SCANNERS "[rule r]\nwhen = %s\nthen = discard\nstage = end-of-message\n",
                   cases[i].when);
        contentd_load_text(&loaded, buf_text(&text));
        if (loaded.error_count > 0)
            fail_msg("%s: %s", cases[i].when, buf_text(&loaded.errors));
        contentd_case_begin(&c, 1);
        contentd_case_header(&c, "X-Many", " one");
        contentd_case_header(&c, "X-Many", " two");
        contentd_case_header(&c, "X-Coded", " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=");
        c.findings[CLAM].result = FINDING_VIRUS;
        c.findings[CLAM].virus = SLICE("Eicar");
        c.findings[ICAP1].result = FINDING_VIRUS;
        c.findings[ICAP1].virus = SLICE("Other");
        c.findings[SPAM].result = FINDING_SPAM;
        c.findings[SPAM].score = 7.5;
        c.findings[SPAM].symbols = SLICE("BAYES_99(3.5), URIBL_BLACK(4)");
        enum truth got = judge(loaded.setup, &c, NULL);
        if (got != cases[i].want)
            fail_msg("%s: %d", cases[i].when, (int)got);
        contentd_case_end(&c);
        contentd_loaded_free(&loaded);
    }
}

static void attachments_are_compared_in_any_case(UNUSED void **state)
{
    static const struct {
        const char *when;
        enum truth want;
    } rows[] = {
        { "attachment.name matches \"*.exe\"", YES },
        { "attachment.name = \"invoice.pdf.exe\"", YES },
        { "attachment.name = \"invoice.pdf\"", NO },
        { "attachment.extension in (EXE, scr)", YES },
        { "attachment.extension = pdf", NO },
        { "attachment.type = Application/X-MSDownload", YES },
    };
    struct mime_attachment one = { .name = { SLICE("Invoice.PDF.EXE") },
                                   .extension = { SLICE("exe") },
                                   .type = SLICE("application/x-msdownload") };
    const struct mime_facts mime = { .attachments = &one, .attachment_count = 1 };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF text = BUF_INIT(4096);
        struct contentd_loaded loaded;
        struct contentd_case c;
        buf_printf(&text, SCANNERS "[rule r]\nwhen = %s\nthen = discard\n", rows[i].when);
        contentd_load_text(&loaded, buf_text(&text));
        if (loaded.error_count > 0)
            fail_msg("%s: %s", rows[i].when, buf_text(&loaded.errors));
        contentd_case_begin(&c, 1);
        enum truth got = judge(loaded.setup, &c, &mime);
        if (got != rows[i].want)
            fail_msg("%s: %d", rows[i].when, (int)got);
        contentd_case_end(&c);
        contentd_loaded_free(&loaded);
    }
}

static void scanners_that_were_skipped_have_found_nothing(UNUSED void **state)
{
    struct contentd_loaded loaded;
    struct contentd_case c;
    const struct fact_type *type = NULL;
    struct value value;

    contentd_load_text(&loaded, SCANNERS);
    contentd_case_begin(&c, 1);
    c.findings[CLAM].result = FINDING_VIRUS;
    for (size_t i = 0; i < contentd_fact_count; i++)
        if (strcmp(contentd_facts[i].name, "*.result") == 0)
            type = &contentd_facts[i];
    const struct fact_ref ref = { .kind = FACT_PLAIN, .type = type, .arg = SLICE("clam") };
    struct fact_subject subject = { .of = { .message = c.message, .arena = c.arena },
                                    .setup = loaded.setup,
                                    .chain = &setup_scan(loaded.setup)->chains.chains[0],
                                    .findings = c.findings,
                                    .skipped = SCANNER_BIT(CLAM) };
    struct evaluation evaluation = { .request = &subject };
    assert_int_equal(FETCH_KNOWN, content_fact(&evaluation, 0, &ref, &value));
    assert_slice("none", value.text);
    subject.skipped = 0;
    assert_int_equal(FETCH_KNOWN, content_fact(&evaluation, 0, &ref, &value));
    assert_slice("virus", value.text);
    contentd_case_end(&c);
    contentd_loaded_free(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_see_what_there_is),
        cmocka_unit_test(attachments_are_compared_in_any_case),
        cmocka_unit_test(scanners_that_were_skipped_have_found_nothing),
    };

    mime_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
