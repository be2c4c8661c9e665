/* tests/unit/config/example.h - a program's tables with a parameter of every type, for the tests and the fuzz target. */
#ifndef GATEHOUSE_TESTS_CONFIG_EXAMPLE_H
#define GATEHOUSE_TESTS_CONFIG_EXAMPLE_H

#include "common/config/common_params.h"
#include "common/config/usage.h"

enum example_colour { RED, GREEN, BLUE };

struct example_limit {
    const struct conf_section *conf;
    struct slice rate, note;
    struct conf_list key;
    bool strict;
    struct conf_pairs rate_user, rate_class;
};

struct example_classes {
    const struct conf_section *conf;
    struct conf_pairs members;
};

struct example_config {
    struct slice name, motto, database;
    struct conf_listens listen;
    bool fast;
    uint64_t count, size, delay;
    unsigned mode;
    enum example_colour colour;
    struct conf_list zones;
    const struct example_limit *limits;
    size_t limit_count;
    const struct example_classes *classes;
    size_t classes_count;
};

/* Complains of the first `!`. */
static inline bool example_check(struct slice text, struct conf_complaint *out)
{
    size_t at = slice_find(text, '!');

    return at == SIZE_MAX || conf_complain(out, at, "no ! here");
}

static const char *const example_colours[] = { "red", "green", "blue", NULL };

#define CONF_STRUCT struct example_limit
static const struct conf_param example_limit_params[] = {
    { PARAM(rate), CONF_TEXT, NULL, 1, 20, .example = "200/1h", .check = example_check,
      .doc = "How many in which time." },
    { PARAM(note), CONF_TEXT, "none", 2, 0, .doc = "Why." },
    { PARAM(key), CONF_LIST, "", 0, 3, .doc = "What is counted separately." },
    { PARAM(strict), CONF_BOOLEAN, "no", .doc = "Whether it is." },
    { PARAM_AS("rate.user.*", rate_user), CONF_PAIRS, .check = example_check,
      .check_name = example_check, .star = "a@example.com", .example = "5/1h",
      .doc = "The rate of one user." },
    { PARAM_AS("rate.class.*", rate_class), CONF_PAIRS, .doc = "The rate of a class." },
};
#undef CONF_STRUCT

#define CONF_STRUCT struct example_classes
static const struct conf_param example_classes_params[] = {
    { PARAM_AS("*", members), CONF_PAIRS, .doc = "The class of a mailbox, @domain or network." },
};
#undef CONF_STRUCT

#define CONF_STRUCT struct example_config
static const struct conf_param example_params[] = {
    { PARAM(name), CONF_TEXT, NULL, .example = "one", .live = true, .doc = "What it is called." },
    { PARAM(listen), CONF_LISTEN, "unix:/run/x, inet:127.0.0.1:9000", 1, 4,
      .doc = "Where clients connect." },
    { PARAM(fast), CONF_BOOLEAN, "yes", .live = true, .doc = "Whether it hurries." },
    { PARAM(count), CONF_INTEGER, "10", 1, 128, .doc = "How many there are." },
    { PARAM(size), CONF_SIZE, "64K", UINT64_C(1) << 10, UINT64_C(1) << 20,
      .doc = "How much there is." },
    { PARAM(delay), CONF_TIME, "5m", 1 * SECOND, 1 * DAY, .live = true,
      .doc = "How long it takes. This sentence is here so that the text is longer than one line of "
             "a comment." },
    { PARAM(mode), CONF_MODE, "0660", 0, 0777, .doc = "Who may." },
    { PARAM(colour), CONF_WORD, "green", .words = example_colours, .live = true,
      .doc = "How it looks." },
    { PARAM(motto), CONF_TEXT, "", 0, 8, .check = example_check, .doc = "What it says." },
    { PARAM(database), CONF_PATH, "", .example = "/var/lib/x.mmdb", .doc = "Where it is kept." },
    { PARAM(zones), CONF_LIST, "", 0, 3, .check = example_check, .doc = "Where it looks." },
};
static const struct conf_kind example_kinds[] = {
    { "limit", true, PARAMS(example_limit_params),
      SECTIONS(struct example_limit, limits, limit_count), "What is limited.",
      "[limit hourly]\nrate = 200/1h\nrate.user.alice@example.com = 500/1h\n" },
    { "classes", false, PARAMS(example_classes_params),
      SECTIONS(struct example_classes, classes, classes_count), "Who belongs to a class.",
      "[classes]\n@shop.example = silver" },
};
#undef CONF_STRUCT

static const struct conf_schema example_schema = {
    PARAMS(example_params),
    PARAMS(example_kinds),
    sizeof(struct example_config),
};

static const struct usage_block example_daemon_blocks[] = {
    { "SIGNALS", "SIGHUP reads the file again.\n\nSIGTERM ends it." },
};
static const struct usage_block example_conf_blocks[] = {
    { "RULES", "Rules are tried in order:\n\n    [rule x]\n    when = sender_domain = \"a\"\n\n"
               ".first wins, 'so it\\is', ~ and ^ and `." },
};
static const char *const example_words[] = { "sender", "header.*" };
static const size_t example_word_count = COUNT(example_words);
static inline int example_describe(const void *rows, size_t i, struct buf *name, struct buf *sort,
                                   struct buf *doc)
{
    return buf_put(name, ((const char *const *)rows)[i]) || buf_put(sort, "a text") ||
                   buf_printf(doc, "It's number %zu.", i)
               ? -1
               : 0;
}
static const struct usage_table example_tables[] = {
    { "FACTS", "What conditions compare.", example_words, &example_word_count, example_describe },
};
static const struct usage_program example_program UNUSED = {
    .name = "gatehouse-exampled",
    .conf_name = "exampled.conf",
    .summary = "example server for Postfix",
    .description = "It answers.\n\nIt stays in the foreground.",
    .daemon_blocks = example_daemon_blocks,
    .daemon_block_count = COUNT(example_daemon_blocks),
    .conf_blocks = example_conf_blocks,
    .conf_block_count = COUNT(example_conf_blocks),
    .tables = example_tables,
    .table_count = COUNT(example_tables),
    .see_also = "gatectl(1), postconf(5)",
    .schema = &example_schema,
};

#endif
