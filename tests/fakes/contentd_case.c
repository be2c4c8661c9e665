/* tests/fakes/contentd_case.c - see contentd_case.h. */
#include "tests/fakes/contentd_case.h"

#include <math.h>

static const struct scanner_kind antivirus = { .name = "clamd", .is_antivirus = true };
static const struct scanner_kind antispam = { .name = "rspamd" };
static const struct scanner_kind filter = { .name = "milter" };

static const unsigned char all_order[] = { CLAM, ICAP1, SPAM, FILTER };
static const unsigned char clam_order[] = { CLAM };
static const unsigned char spam_order[] = { SPAM };

static struct chain chain_make(const char *name, const unsigned char *order, size_t count)
{
    struct chain chain = { .name = slice_of(name),
                           .order = order,
                           .count = count,
                           .virus = VERDICT_REJECT,
                           .virus_reply = { 0, SLICE("5.7.1"), SLICE("Message contains malware") },
                           .tag = 6,
                           .quarantine = 10,
                           .reject = 15,
                           .reject_reply = { 0, SLICE("5.7.1"), SLICE("Message looks like spam") },
                           .subject_prefix = SLICE("[SPAM]"),
                           .headers = CHAIN_VIRUS_HEADERS | CHAIN_SPAM_HEADERS };

    for (size_t i = 0; i < count; i++)
        chain.set |= SCANNER_BIT(order[i]);
    return chain;
}

void contentd_case_begin(struct contentd_case *c, size_t recipients)
{
    char address[64];

    *c = (struct contentd_case){ .arena = arena_new(64 << 20), .message = message_new() };
    message_set_sender(c->message, SLICE("a@example.net"), NULL, 0);
    for (size_t i = 0; i < recipients; i++) {
        snprintf(address, sizeof address, "r%zu@example.org", i);
        message_add_recipient(c->message, slice_of(address), NULL, 0);
    }
    contentd_case_header(c, "Subject", " Hello");
    c->scanners[CLAM] = (struct scanner){
        .name = SLICE("clam"), .kind = &antivirus, .weight = 1, .is_antivirus = true
    };
    c->scanners[ICAP1] = (struct scanner){
        .name = SLICE("icap1"), .kind = &antivirus, .weight = 1, .is_antivirus = true
    };
    c->scanners[SPAM] = (struct scanner){ .name = SLICE("spam"),
                                          .kind = &antispam,
                                          .trouble = SCANNER_ACCEPT,
                                          .oversize = SCANNER_ACCEPT,
                                          .weight = 1 };
    c->scanners[FILTER] = (struct scanner){ .name = SLICE("filter"),
                                            .kind = &filter,
                                            .trouble = SCANNER_QUARANTINE,
                                            .oversize = SCANNER_QUARANTINE,
                                            .weight = 1 };
    for (size_t i = 0; i < CASE_SCANNERS; i++) {
        c->findings[i].result = FINDING_CLEAN;
        edits_init(&c->findings[i].edits);
    }
    c->findings[SPAM].has_score = true;
    c->full = chain_make("full", all_order, COUNT(all_order));
    c->light = chain_make("light", clam_order, COUNT(clam_order));
    c->scores = chain_make("scores", spam_order, COUNT(spam_order));
    c->input = (struct verdict_input){ .scanners = c->scanners,
                                       .scanner_count = CASE_SCANNERS,
                                       .findings = c->findings,
                                       .message = c->message,
                                       .removes_forged = true,
                                       .hostname = SLICE("mx.example.org"),
                                       .arena = c->arena };
}

void contentd_case_end(struct contentd_case *c)
{
    message_unref(&c->message);
    arena_free(&c->arena);
}

void contentd_case_header(struct contentd_case *c, const char *name, const char *value)
{
    message_add_header(c->message, slice_of(name), slice_of(value));
}

const struct edit *edits_find(const struct edits *edits, enum edit_kind kind, const char *name,
                              size_t n)
{
    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        if (edit->kind == kind &&
            (name[0] == '\0' || slice_equal_nocase(edit->name, slice_of(name))) && n-- == 0)
            return edit;
    return NULL;
}
