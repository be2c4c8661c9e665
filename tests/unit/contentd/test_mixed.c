/* tests/unit/contentd/test_mixed.c - verdicts of several recipients make one plan. */
#include "common/mail/address.h"
#include "tests/fakes/contentd_case.h"
#include "tests/unit/unit.h"

/* Verdicts by letter: D delivered, T delivered and tagged, H delivered with another header, Q quarantine, X discard, F tempfail, R
 * reject, M removed by a scanner, Y the same and archive@ added, A delivered and a scanner adds archive@, B the same and tagged, E
 * redirected, C the same, tagged, and archive@ added, I delivered with another header in front, W redirected to r1@, V the same,
 * written otherwise, P delivered and a scanner adds r1@. */
static void verdict_of(struct contentd_case *c, char letter, size_t n,
                       struct recipient_verdict *out)
{
    const struct edit score = { EDIT_ADD_HEADER, SLICE("X-Spam-Score"), SLICE("1"), 0, NULL };
    const struct edit high = { EDIT_ADD_HEADER, SLICE("X-Spam-Score"), SLICE("7"), 0, NULL };
    const struct edit flag = { EDIT_ADD_HEADER, SLICE("X-Spam-Flag"), SLICE("YES"), 0, NULL };
    const struct edit subject = { EDIT_CHANGE_HEADER, SLICE("Subject"), SLICE("[SPAM]"), 1, NULL };
    const struct edit other = { EDIT_ADD_HEADER, SLICE("X-Other"), SLICE("1"), 0, NULL };
    const struct edit front = { EDIT_INSERT_HEADER, SLICE("X-Other"), SLICE("2"), 0, NULL };
    const struct edit archive = { EDIT_ADD_RECIPIENT, SLICE(""), SLICE("archive@example.org"), 0,
                                  NULL };
    const struct edit first = { EDIT_ADD_RECIPIENT, SLICE(""), SLICE("r1@example.org"), 0, NULL };
    const struct edit removed = { EDIT_REMOVE_RECIPIENT, SLICE(""),
                                  c->message->recipients[n].address, 0, NULL };

    *out = (struct recipient_verdict){ .kind = VERDICT_DELIVER, .by = SLICE("") };
    edits_init(&out->edits);
    edits_add(&out->edits, c->arena, strchr("TBC", letter) != NULL ? &high : &score);
    out->reply = (struct reply){ letter == 'F' ? 451 : 554, SLICE(""), SLICE("No") };
    switch (letter) {
    case 'B':
    case 'C':
    case 'T':
        out->is_tagged = true;
        edits_add(&out->edits, c->arena, &flag);
        edits_add(&out->edits, c->arena, &subject);
        if (letter != 'T')
            edits_add(&out->edits, c->arena, &archive);
        if (letter == 'C')
            out->redirect = SLICE("else@example.org");
        break;
    case 'H':
        edits_add(&out->edits, c->arena, &other);
        break;
    case 'A':
        edits_add(&out->edits, c->arena, &archive);
        break;
    case 'I':
        edits_add(&out->edits, c->arena, &front);
        break;
    case 'M':
    case 'Y':
        edits_add(&out->edits, c->arena, &removed);
        if (letter == 'Y')
            edits_add(&out->edits, c->arena, &archive);
        break;
    case 'E':
        out->redirect = SLICE("else@example.org");
        break;
    case 'W':
        out->redirect = SLICE("r1@example.org");
        break;
    case 'V':
        out->redirect = SLICE("\"R1\"@Example.ORG");
        break;
    case 'P':
        edits_add(&out->edits, c->arena, &first);
        break;
    case 'Q':
        out->kind = VERDICT_QUARANTINE;
        break;
    case 'X':
        out->kind = VERDICT_DISCARD;
        break;
    case 'F':
        out->kind = VERDICT_TEMPFAIL;
        break;
    case 'R':
        out->kind = VERDICT_REJECT;
        break;
    default:
        break;
    }
}

static const struct recipient_verdict **verdicts_of(struct contentd_case *c, const char *letters)
{
    size_t count = strlen(letters);
    struct recipient_verdict *verdicts = arena_alloc_array(c->arena, count + 1, sizeof *verdicts);
    const struct recipient_verdict **refs = arena_alloc_array(c->arena, count + 1, sizeof *refs);

    for (size_t i = 0; i < count; i++) {
        verdict_of(c, letters[i], i, &verdicts[i]);
        refs[i] = &verdicts[i];
    }
    return refs;
}

static bool plan_of(struct contentd_case *c, const struct mixed_settings *settings,
                    const char *letters, struct plan *plan)
{
    return mixed_plan(settings, c->message, verdicts_of(c, letters), c->arena, plan);
}

/* Fates by letter: d delivered, r refused, t deferred, x discarded, q quarantined, s spooled. */
static const char fate_letters[] = "drtxqs";

static const struct {
    const char *what;
    enum mixed_mode mode;
    bool can_release;
    const char *verdicts, *fates;
    enum plan_reply action;
    size_t quarantine, spool, unedited;
} cases[] = {
    { "nobody objects", MIXED_QUARANTINE, true, "DDD", "ddd", PLAN_ACCEPT, 0, 0, 0 },
    { "any tempfail defers all", MIXED_QUARANTINE, true, "DFD", "ttt", PLAN_TEMPFAIL, 0, 0, 0 },
    { "tempfail and reject", MIXED_QUARANTINE, true, "RFR", "ttt", PLAN_TEMPFAIL, 0, 0, 0 },
    { "all reject", MIXED_QUARANTINE, true, "RRR", "rrr", PLAN_REJECT, 0, 0, 0 },
    { "one alone is refused", MIXED_QUARANTINE, true, "R", "r", PLAN_REJECT, 0, 0, 0 },
    { "one alone is kept", MIXED_QUARANTINE, true, "Q", "q", PLAN_DISCARD, 1, 0, 0 },
    { "all discard", MIXED_QUARANTINE, true, "XX", "xx", PLAN_DISCARD, 0, 0, 0 },
    { "all quarantine", MIXED_QUARANTINE, true, "QQ", "qq", PLAN_DISCARD, 1, 0, 0 },
    { "some reject", MIXED_QUARANTINE, true, "DRD", "dqd", PLAN_ACCEPT, 1, 0, 0 },
    { "some quarantine", MIXED_QUARANTINE, true, "DQ", "dq", PLAN_ACCEPT, 1, 0, 0 },
    { "some discard", MIXED_QUARANTINE, true, "DX", "dx", PLAN_ACCEPT, 0, 0, 0 },
    { "quarantine and reject", MIXED_QUARANTINE, true, "QR", "qq", PLAN_DISCARD, 2, 0, 0 },
    { "discard and reject", MIXED_QUARANTINE, true, "XR", "xq", PLAN_DISCARD, 1, 0, 0 },
    { "discard and quarantine", MIXED_QUARANTINE, true, "QX", "qx", PLAN_DISCARD, 1, 0, 0 },
    { "all at once", MIXED_QUARANTINE, true, "DRXQT", "dqxqs", PLAN_ACCEPT, 2, 1, 0 },
    { "tagged: a copy", MIXED_QUARANTINE, true, "DT", "ds", PLAN_ACCEPT, 0, 1, 0 },
    { "the mildest stay, though fewer", MIXED_QUARANTINE, true, "TTD", "ssd", PLAN_ACCEPT, 0, 1,
      0 },
    { "of equally mild ones the most", MIXED_QUARANTINE, true, "DHH", "sdd", PLAN_ACCEPT, 0, 1, 0 },
    { "of equally many the first", MIXED_QUARANTINE, true, "HD", "ds", PLAN_ACCEPT, 0, 1, 0 },
    { "two other copies", MIXED_QUARANTINE, true, "DDTHT", "ddsss", PLAN_ACCEPT, 0, 2, 0 },
    { "all tagged", MIXED_QUARANTINE, true, "TT", "dd", PLAN_ACCEPT, 0, 0, 0 },
    { "no listener: they stay", MIXED_QUARANTINE, false, "DTH", "ddd", PLAN_ACCEPT, 0, 0, 2 },
    { "no listener: the rest is as ever", MIXED_QUARANTINE, false, "DTRQX", "ddqqx", PLAN_ACCEPT, 2,
      0, 1 },
    { "removed by a scanner", MIXED_QUARANTINE, true, "DM", "dx", PLAN_ACCEPT, 0, 0, 0 },
    { "all removed, nobody added", MIXED_QUARANTINE, true, "MM", "xx", PLAN_DISCARD, 0, 0, 0 },
    { "removed, and another comes for it", MIXED_QUARANTINE, true, "Y", "x", PLAN_ACCEPT, 0, 0, 0 },
    { "removed, another added", MIXED_QUARANTINE, true, "MA", "xd", PLAN_ACCEPT, 0, 0, 0 },
    { "removed, the rest gets a copy", MIXED_QUARANTINE, true, "MT", "xs", PLAN_DISCARD, 0, 1, 0 },
    { "redirected", MIXED_QUARANTINE, true, "DE", "dd", PLAN_ACCEPT, 0, 0, 0 },
    { "only redirected", MIXED_QUARANTINE, true, "EE", "dd", PLAN_ACCEPT, 0, 0, 0 },
    { "split is as quarantine in the end", MIXED_SPLIT, true, "DRT", "dqs", PLAN_ACCEPT, 1, 1, 0 },
    { "strictest: reject", MIXED_STRICTEST, true, "DRFXQT", "rrrrrr", PLAN_REJECT, 0, 0, 0 },
    { "strictest: tempfail", MIXED_STRICTEST, true, "DFXQT", "ttttt", PLAN_TEMPFAIL, 0, 0, 0 },
    { "strictest: discard", MIXED_STRICTEST, true, "DXQ", "xxx", PLAN_DISCARD, 0, 0, 0 },
    { "strictest: quarantine", MIXED_STRICTEST, true, "DQT", "qqq", PLAN_DISCARD, 1, 0, 0 },
    { "strictest: tag", MIXED_STRICTEST, true, "DTH", "ddd", PLAN_ACCEPT, 0, 0, 0 },
};

static void every_cell_of_the_table(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct mixed_settings settings = { cases[i].mode, cases[i].can_release, 100 };
        size_t count = strlen(cases[i].verdicts);
        char fates[16] = "";
        struct contentd_case c;
        struct plan plan;
        contentd_case_begin(&c, count);
        if (!plan_of(&c, &settings, cases[i].verdicts, &plan))
            fail_msg("%s: failed", cases[i].what);
        for (size_t n = 0; n < count; n++)
            fates[n] = fate_letters[plan.fates[n]];
        fates[count] = '\0';
        if (strcmp(fates, cases[i].fates) != 0 || plan.action != cases[i].action ||
            plan.quarantine_count != cases[i].quarantine || plan.spool_count != cases[i].spool ||
            plan.unedited != cases[i].unedited)
            fail_msg("%s: %s, action %d, quarantine %zu, spool %zu, unedited %zu", cases[i].what,
                     fates, (int)plan.action, plan.quarantine_count, plan.spool_count,
                     plan.unedited);
        if ((plan.action == PLAN_REJECT || plan.action == PLAN_TEMPFAIL) &&
            (plan.spoken == NULL ||
             plan.spoken->reply.code / 100 != (plan.action == PLAN_REJECT ? 5 : 4)))
            fail_msg("%s: whose reply?", cases[i].what);
        contentd_case_end(&c);
    }
}

/* Whose words the MTA is told, or the log: the number of a recipient; -1: nobody's. */
static const struct {
    enum mixed_mode mode;
    const char *verdicts;
    int speaker;
} speakers[] = {
    { MIXED_QUARANTINE, "RR", 0 }, { MIXED_QUARANTINE, "DFF", 1 }, { MIXED_QUARANTINE, "DT", 0 },
    { MIXED_QUARANTINE, "TD", 1 }, { MIXED_QUARANTINE, "X", 0 },   { MIXED_QUARANTINE, "XX", 0 },
    { MIXED_QUARANTINE, "RQ", 1 }, { MIXED_QUARANTINE, "XR", 1 },  { MIXED_QUARANTINE, "QXQ", 0 },
    { MIXED_QUARANTINE, "MM", 0 }, { MIXED_STRICTEST, "RR", 0 },   { MIXED_STRICTEST, "DRFR", 1 },
    { MIXED_STRICTEST, "DTT", 1 }, { MIXED_STRICTEST, "DD", 0 },   { MIXED_QUARANTINE, "", -1 },
};

static void one_of_them_speaks(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(speakers); i++) {
        const struct mixed_settings settings = { speakers[i].mode, true, 100 };
        struct contentd_case c;
        struct plan plan;
        contentd_case_begin(&c, strlen(speakers[i].verdicts));
        const struct recipient_verdict **verdicts = verdicts_of(&c, speakers[i].verdicts);
        assert_true(mixed_plan(&settings, c.message, verdicts, c.arena, &plan));
        if (plan.spoken != (speakers[i].speaker < 0 ? NULL : verdicts[speakers[i].speaker]))
            fail_msg("%s: somebody else", speakers[i].verdicts);
        contentd_case_end(&c);
    }
}

/* With `strictest` the highest score among equals is the severest. */
static void of_equally_strict_ones_the_higher_score_speaks(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_STRICTEST, true, 100 };
    struct recipient_verdict low = { .kind = VERDICT_REJECT, .score = 1 }, high = low;
    const struct recipient_verdict *verdicts[] = { &low, &high, &low };
    struct contentd_case c;
    struct plan plan;

    high.score = 2;
    contentd_case_begin(&c, 3);
    assert_true(mixed_plan(&settings, c.message, verdicts, c.arena, &plan));
    assert_ptr_equal(&high, plan.spoken);
    contentd_case_end(&c);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    static const char *const letters[] = { "DTYQ", "DHTRQ", "AEBC" };

    for (size_t i = 0; i < COUNT(letters); i++) {
        for (int can_release = 0; can_release < 2; can_release++) {
            const struct mixed_settings settings = { MIXED_QUARANTINE, can_release != 0, 100 };
            struct contentd_case c;
            struct plan want, got;
            bool ok = false;
            contentd_case_begin(&c, strlen(letters[i]));
            const struct recipient_verdict **verdicts = verdicts_of(&c, letters[i]);
            assert_true(mixed_plan(&settings, c.message, verdicts, c.arena, &want));
            for (size_t max = 0; !ok; max += 16) {
                struct arena *scarce = arena_new(max);
                ok = mixed_plan(&settings, c.message, verdicts, scarce, &got);
                if (ok && (got.edits.count != want.edits.count ||
                           got.spool_count != want.spool_count || got.unedited != want.unedited ||
                           got.quarantine_count != want.quarantine_count ||
                           memcmp(got.fates, want.fates,
                                  c.message->recipient_count * sizeof *got.fates) != 0))
                    fail_msg("%s with %zu bytes", letters[i], max);
                arena_free(&scarce);
                assert_true(max < 1 << 16);
            }
            contentd_case_end(&c);
        }
    }
}

/* ---- how the plan is carried out: each recipient counted where it turns up ---- */

static bool copies_have(const struct plan_copy *copies, size_t count, size_t n, size_t *times)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < copies[i].count; k++)
            *times += copies[i].recipients[k] == n;
    return *times > 0;
}

static bool added_somewhere(const struct plan *plan, struct slice address)
{
    for (const struct edit *edit = plan->edits.first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_ADD_RECIPIENT && slice_equal(edit->text, address))
            return true;
    for (size_t i = 0; i < plan->spool_count; i++)
        for (size_t k = 0; k < plan->spool[i].added_count; k++)
            if (slice_equal(plan->spool[i].added[k], address))
                return true;
    return false;
}

static void check_recipient(const struct contentd_case *c, const struct plan *plan,
                            const char *letters, size_t n)
{
    size_t removed = 0, kept = 0, spooled = 0;

    for (const struct edit *edit = plan->edits.first; edit != NULL; edit = edit->next)
        removed += edit->kind == EDIT_REMOVE_RECIPIENT &&
                   slice_equal(edit->text, c->message->recipients[n].address);
    copies_have(plan->quarantine, plan->quarantine_count, n, &kept);
    copies_have(plan->spool, plan->spool_count, n, &spooled);
    bool stays = plan->action == PLAN_ACCEPT && removed == 0;
    bool is_redirected = letters[n] == 'E' && added_somewhere(plan, SLICE("else@example.org"));
    bool ok = false;
    switch (plan->fates[n]) {
    case FATE_DELIVERED:
        ok = kept + spooled == 0 && (stays || (is_redirected && plan->action == PLAN_ACCEPT));
        break;
    case FATE_REFUSED:
        ok = plan->action == PLAN_REJECT && kept + spooled == 0;
        break;
    case FATE_DEFERRED:
        ok = plan->action == PLAN_TEMPFAIL && kept + spooled == 0;
        break;
    case FATE_DISCARDED:
        ok = (plan->action == PLAN_DISCARD || removed == 1) && kept + spooled == 0 &&
             strchr("XM", letters[n]) != NULL;
        break;
    case FATE_QUARANTINED:
        ok = kept == 1 && spooled == 0 && !stays && plan->action != PLAN_REJECT &&
             plan->action != PLAN_TEMPFAIL;
        break;
    case FATE_SPOOLED:
        ok = kept == 0 && !stays && (spooled == 1 || (spooled == 0 && is_redirected)) &&
             (plan->action == PLAN_ACCEPT || plan->action == PLAN_DISCARD);
        break;
    case FATES:
        break;
    }
    if (!ok || removed > 1)
        fail_msg("%s: recipient %zu: %s, action %d, removed %zu, kept %zu, spooled %zu", letters, n,
                 fate_words[plan->fates[n]], (int)plan->action, removed, kept, spooled);
}

static void every_recipient_has_exactly_one_fate(UNUSED void **state)
{
    static const char letters[] = "DTHQXFRMAE";
    unsigned seed = 7;

    for (int round = 0; round < 20000; round++) {
        char verdicts[10];
        size_t count = 1 + (unsigned)rand_r(&seed) % 8;
        /* Tempfail in every third only: it decides for all. */
        unsigned kinds = round % 3 == 0 ? sizeof letters - 1 : 5;
        struct mixed_settings settings = { (enum mixed_mode)((unsigned)rand_r(&seed) % 2),
                                           rand_r(&seed) % 3 != 0, (unsigned)rand_r(&seed) % 3 };
        struct contentd_case c;
        struct plan plan;
        for (size_t i = 0; i < count; i++) {
            verdicts[i] = letters[(unsigned)rand_r(&seed) % kinds];
            if (round % 3 == 1 && verdicts[i] == 'Q')
                verdicts[i] = "RMAE"[(unsigned)rand_r(&seed) % 4];
        }
        verdicts[count] = '\0';
        contentd_case_begin(&c, count);
        assert_true(plan_of(&c, &settings, verdicts, &plan));
        for (size_t n = 0; n < count; n++)
            check_recipient(&c, &plan, verdicts, n);
        if (plan.spool_count > settings.copies_max ||
            (!settings.can_release && plan.spool_count > 0))
            fail_msg("%s: %zu copies", verdicts, plan.spool_count);
        contentd_case_end(&c);
    }
}

static void each_copy_has_its_own_edits(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 100 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, 3);
    assert_true(plan_of(&c, &settings, "DTQ", &plan));
    assert_null(edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Spam-Flag", 0));
    assert_null(edits_find(&plan.edits, EDIT_CHANGE_HEADER, "Subject", 0));
    assert_slice("1", edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Spam-Score", 0)->text);
    assert_non_null(edits_find(&plan.spool[0].verdict->edits, EDIT_CHANGE_HEADER, "Subject", 0));
    assert_int_equal(1, plan.spool[0].count);
    assert_int_equal(1, plan.spool[0].recipients[0]);
    assert_int_equal(2, plan.quarantine[0].recipients[0]);
    contentd_case_end(&c);
}

static void without_a_listener_only_what_informs_is_added(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, false, 100 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, 3);
    assert_true(plan_of(&c, &settings, "DTH", &plan));
    assert_null(edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Spam-Flag", 0));
    assert_null(edits_find(&plan.edits, EDIT_CHANGE_HEADER, "Subject", 0));
    assert_non_null(edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Other", 0));
    assert_slice("1", edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Spam-Score", 0)->text);
    assert_null(edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Spam-Score", 1));
    contentd_case_end(&c);
}

static void added_and_redirected_recipients_are_named_once(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 100 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, 5);
    assert_true(plan_of(&c, &settings, "AAEED", &plan));
    assert_true(added_somewhere(&plan, SLICE("archive@example.org")));
    assert_true(added_somewhere(&plan, SLICE("else@example.org")));
    assert_non_null(edits_find(&plan.edits, EDIT_ADD_RECIPIENT, "", 1));
    assert_null(edits_find(&plan.edits, EDIT_ADD_RECIPIENT, "", 2));
    assert_non_null(edits_find(&plan.edits, EDIT_REMOVE_RECIPIENT, "", 1));
    assert_null(edits_find(&plan.edits, EDIT_REMOVE_RECIPIENT, "", 2));
    contentd_case_end(&c);
}

static void without_a_listener_a_field_is_added_once(UNUSED void **state)
{
    static const char *const letters[] = { "HI", "IH" };
    const struct mixed_settings settings = { MIXED_QUARANTINE, false, 100 };

    for (size_t i = 0; i < COUNT(letters); i++) {
        struct contentd_case c;
        struct plan plan;
        contentd_case_begin(&c, 2);
        assert_true(plan_of(&c, &settings, letters[i], &plan));
        bool added = edits_find(&plan.edits, EDIT_ADD_HEADER, "X-Other", 0) != NULL;
        bool inserted = edits_find(&plan.edits, EDIT_INSERT_HEADER, "X-Other", 0) != NULL;
        if (added == inserted || added != (letters[i][0] == 'H'))
            fail_msg("%s", letters[i]);
        contentd_case_end(&c);
    }
}

static void a_redirected_copy_goes_to_each_address_once(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 100 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, 3);
    assert_true(plan_of(&c, &settings, "DCC", &plan));
    assert_int_equal(1, plan.spool_count);
    assert_int_equal(0, plan.spool[0].count);
    assert_int_equal(2, plan.spool[0].added_count);
    assert_slice("else@example.org", plan.spool[0].added[0]);
    assert_slice("archive@example.org", plan.spool[0].added[1]);
    contentd_case_end(&c);
}

static void a_copy_goes_to_all_that_scanners_add(UNUSED void **state)
{
    static const char *const letters[] = { "DTB", "DBT", "DBB" };
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 100 };

    for (size_t i = 0; i < COUNT(letters); i++) {
        struct contentd_case c;
        struct plan plan;
        contentd_case_begin(&c, 3);
        assert_true(plan_of(&c, &settings, letters[i], &plan));
        assert_int_equal(1, plan.spool_count);
        assert_int_equal(2, plan.spool[0].count);
        assert_int_equal(1, plan.spool[0].added_count);
        assert_slice("archive@example.org", plan.spool[0].added[0]);
        contentd_case_end(&c);
    }
}

/* Whoever is added must not be removed, and who stays must not be added: the MTA may do the one before the other. */
static const struct {
    const char *what, *verdicts, *envelope;
} envelopes[] = {
    { "nobody changes", "DDD", "" },
    { "removed", "DQRX", "-r1 -r2 -r3" },
    { "removed and added", "EEQ", "-r0 -r1 -r2 +else@example.org" },
    { "redirected to somebody who stays", "WD", "-r0" },
    { "to somebody whose own is quarantined", "WQ", "-r0" },
    { "to somebody whose own is refused, with others", "WRXE", "-r0 -r2 -r3 +else@example.org" },
    { "to somebody whom a scanner removes", "WM", "-r0" },
    { "to somebody who has a copy of his own", "WT", "-r0" },
    { "to somebody, written otherwise", "VQD", "-r0" },
    { "two, in two spellings", "VWW", "-r0 -r2" },
    { "to himself", "DW", "" },
    { "a scanner adds somebody who stays", "PDQ", "-r2" },
    { "a scanner adds somebody whose own is quarantined", "PQQ", "-r2" },
    { "a scanner adds somebody for two", "PPQ", "-r2" },
};

static void nobody_is_removed_and_added(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 100 };

    for (size_t i = 0; i < COUNT(envelopes); i++) {
        AUTO_BUF got = BUF_INIT(1000);
        struct contentd_case c;
        struct plan plan;
        contentd_case_begin(&c, strlen(envelopes[i].verdicts));
        assert_true(plan_of(&c, &settings, envelopes[i].verdicts, &plan));
        for (const struct edit *edit = plan.edits.first; edit != NULL; edit = edit->next)
            if (edit->kind == EDIT_REMOVE_RECIPIENT)
                buf_printf(&got, "%s-%.*s", got.len > 0 ? " " : "",
                           SLICE_ARG(address_local(edit->text)));
            else if (edit->kind == EDIT_ADD_RECIPIENT)
                buf_printf(&got, "%s+%.*s", got.len > 0 ? " " : "", SLICE_ARG(edit->text));
        if (plan.action != PLAN_ACCEPT || strcmp(buf_text(&got), envelopes[i].envelope) != 0)
            fail_msg("%s: %s", envelopes[i].what, buf_text(&got));
        contentd_case_end(&c);
    }
}

/* One mailbox twice, of which a scanner does not like the second: removing it would remove both. */
static void who_stays_once_is_not_removed(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 100 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, 3);
    c.message->recipients[1] = c.message->recipients[0];
    assert_true(plan_of(&c, &settings, "DRX", &plan));
    assert_int_equal(FATE_QUARANTINED, plan.fates[1]);
    assert_slice("r2@example.org", edits_find(&plan.edits, EDIT_REMOVE_RECIPIENT, "", 0)->text);
    assert_null(edits_find(&plan.edits, EDIT_REMOVE_RECIPIENT, "", 1));
    contentd_case_end(&c);
}

/* As many recipients as a message may have, whose verdicts are different objects, with the same or different edits. */
static void many_recipients_are_planned_in_good_time(UNUSED void **state)
{
    enum { MANY = MESSAGE_RECIPIENTS_MAX };
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 3 };
    static char letters[MANY + 1];
    struct contentd_case c;
    struct plan plan;

    for (size_t i = 0; i < MANY; i++)
        letters[i] = i % 2 == 0 ? 'D' : i % 3 == 0 ? 'T' : 'Q';
    contentd_case_begin(&c, MANY);
    assert_true(plan_of(&c, &settings, letters, &plan));
    assert_int_equal(1, plan.spool_count);
    assert_int_equal(1, plan.quarantine_count);
    for (size_t n = 0; n < MANY; n++)
        assert_int_equal(n % 2 == 0   ? FATE_DELIVERED
                         : n % 3 == 0 ? FATE_SPOOLED
                                      : FATE_QUARANTINED,
                         plan.fates[n]);
    contentd_case_end(&c);
}

/* Everybody is redirected to somebody else, and a scanner wants every second one out; nobody can have a copy. */
static void each_of_many_recipients_may_be_another(UNUSED void **state)
{
    enum { MANY = MESSAGE_RECIPIENTS_MAX };
    const struct mixed_settings settings = { MIXED_QUARANTINE, false, 3 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, MANY);
    struct recipient_verdict *verdicts = arena_alloc_array(c.arena, MANY, sizeof *verdicts);
    const struct recipient_verdict **refs = arena_alloc_array(c.arena, MANY, sizeof *refs);
    for (size_t n = 0; n < MANY; n++) {
        verdict_of(&c, n % 2 == 0 ? 'M' : n % 3 == 0 ? 'H' : 'D', n, &verdicts[n]);
        verdicts[n].redirect = arena_printf(c.arena, "else%zu@example.com", n);
        refs[n] = &verdicts[n];
    }
    assert_true(mixed_plan(&settings, c.message, refs, c.arena, &plan));
    size_t removed = 0, added = 0;
    for (const struct edit *edit = plan.edits.first; edit != NULL; edit = edit->next) {
        removed += edit->kind == EDIT_REMOVE_RECIPIENT;
        added += edit->kind == EDIT_ADD_RECIPIENT;
    }
    assert_int_equal(MANY, removed);
    assert_int_equal(MANY / 2, added);
    contentd_case_end(&c);
}

static void a_message_without_recipients_goes_on(UNUSED void **state)
{
    const struct mixed_settings settings = { MIXED_QUARANTINE, true, 3 };
    struct contentd_case c;
    struct plan plan;

    contentd_case_begin(&c, 0);
    assert_true(plan_of(&c, &settings, "", &plan));
    assert_int_equal(PLAN_ACCEPT, plan.action);
    contentd_case_end(&c);
}

static void who_gets_nothing_is_lost(UNUSED void **state)
{
    static const struct {
        enum fate fate;
        enum verdict_kind kind;
        bool is_replaced; /* a scanner adds another recipient */
        bool want;
    } rows[] = {
        { FATE_DELIVERED, VERDICT_DELIVER, false, false },
        { FATE_SPOOLED, VERDICT_DELIVER, false, false },
        { FATE_QUARANTINED, VERDICT_QUARANTINE, false, false },
        { FATE_QUARANTINED, VERDICT_REJECT, false, false },
        { FATE_REFUSED, VERDICT_REJECT, false, true },
        { FATE_DEFERRED, VERDICT_TEMPFAIL, false, true },
        { FATE_DISCARDED, VERDICT_DISCARD, false, true },
        { FATE_DISCARDED, VERDICT_DISCARD, true, true },
        { FATE_DISCARDED, VERDICT_DELIVER, false, true },
        { FATE_DISCARDED, VERDICT_DELIVER, true, false },
    };
    struct arena *arena = arena_new(1 << 16);
    const struct edit added = { .kind = EDIT_ADD_RECIPIENT, .text = SLICE("b@example.org") };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recipient_verdict verdict = { .kind = rows[i].kind };
        edits_init(&verdict.edits);
        if (rows[i].is_replaced)
            assert_true(edits_add(&verdict.edits, arena, &added));
        if (fate_is_loss(rows[i].fate, &verdict) != rows[i].want)
            fail_msg("row %zu", i);
    }
    arena_free(&arena);
}

static void split_keeps_other_chains_out(UNUSED void **state)
{
    const struct chain a = { .name = SLICE("a") }, b = { .name = SLICE("b") };

    assert_true(mixed_may_join(MIXED_SPLIT, &a, &a, true));
    assert_false(mixed_may_join(MIXED_SPLIT, &a, &b, true));
    assert_true(mixed_may_join(MIXED_SPLIT, &a, &b, false));
    assert_true(mixed_may_join(MIXED_QUARANTINE, &a, &b, true));
    assert_true(mixed_may_join(MIXED_STRICTEST, &a, &b, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_table),
        cmocka_unit_test(one_of_them_speaks),
        cmocka_unit_test(of_equally_strict_ones_the_higher_score_speaks),
        cmocka_unit_test(says_when_memory_is_out),
        cmocka_unit_test(every_recipient_has_exactly_one_fate),
        cmocka_unit_test(each_copy_has_its_own_edits),
        cmocka_unit_test(without_a_listener_only_what_informs_is_added),
        cmocka_unit_test(added_and_redirected_recipients_are_named_once),
        cmocka_unit_test(without_a_listener_a_field_is_added_once),
        cmocka_unit_test(a_redirected_copy_goes_to_each_address_once),
        cmocka_unit_test(a_copy_goes_to_all_that_scanners_add),
        cmocka_unit_test(nobody_is_removed_and_added),
        cmocka_unit_test(who_stays_once_is_not_removed),
        cmocka_unit_test(many_recipients_are_planned_in_good_time),
        cmocka_unit_test(each_of_many_recipients_may_be_another),
        cmocka_unit_test(a_message_without_recipients_goes_on),
        cmocka_unit_test(who_gets_nothing_is_lost),
        cmocka_unit_test(split_keeps_other_chains_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
