/* tests/unit/lists/test_list.c - lists: entries, what they match, which one decides. */
#include "tests/unit/unit.h"

#include "common/lists/list.h"

#define NOW_MS UINT64_C(1000000) /* second 1000 */

static struct arena *arena;

static int arena_up(UNUSED void **state)
{
    arena = arena_new(1 << 24);
    return arena == NULL ? -1 : 0;
}

static int arena_down(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

static const struct {
    const char *entry, *want; /* NULL: refused */
    const char *error; /* part of it */
} entries[] = {
    { "192.0.2.1", "192.0.2.1", NULL },
    { "192.0.2.1/32", "192.0.2.1", NULL },
    { "!192.0.2.0/24", "!192.0.2.0/24", NULL },
    { "2001:DB8::/32", "2001:db8::/32", NULL },
    { "Example.COM", "example.com", NULL },
    { ".Example.com.", ".example.com", NULL },
    { "B\xc3\xbc"
      "cher.example",
      "xn--bcher-kva.example", NULL },
    { "User@Example.com", "user@example.com", NULL },
    { "user@[192.0.2.1]", "user@[192.0.2.1]", NULL },
    { "!@Example.com", "!@example.com", NULL },
    { "[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]", NULL },
    { "KP", "kp", NULL },
    { "64496", "64496", NULL },
    { "alice.smith+x", "alice.smith+x", NULL },
    { "J\xc3\xb6rg", "j\xc3\xb6rg", NULL },
    { "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90",
      "a1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c:6d:7e:8f:90", NULL },
    { "20:01:0D:B8:00:00:00:00:00:00:00:00:00:00:00", NULL, "not an IPv4 or IPv6 address" },
    { "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:9", NULL, "not an IPv4 or IPv6 address" },
    { "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90:", NULL, "not an IPv4 or IPv6 address" },
    { "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:9G", NULL, "not an IPv4 or IPv6 address" },
    { "G1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90", NULL, "not an IPv4 or IPv6 address" },
    { "AB:CD", NULL, "not an IPv4 or IPv6 address" },
    { "=a.b", "=a.b", NULL },
    { "\xc3\xa9.example", "xn--9ca.example", NULL },
    { "", NULL, "missing" },
    { "! a", NULL, "not an address" },
    { "\x1f"
      "b",
      NULL, "not an address" },
    { "b\x7f", NULL, "not an address" },
    { "bob\xff@example.com", NULL, "not a mailbox" },
    { "!", NULL, "missing" },
    { "!!a", NULL, "not an address" },
    { "192.0.2.1/24", NULL, "the network is 192.0.2.0/24" },
    { "192.0.2", NULL, "not an IPv4 or IPv6 address" },
    { "192.0.2.0/33", NULL, "0 to 32" },
    { "2001:db8::zz", NULL, "not an IPv4 or IPv6 address" },
    { "*.example.com", NULL, "`.example.com` is it and everything below" },
    { "example..com", NULL, "not a domain name" },
    { "-a.example", NULL, "not a domain name" },
    { ".", NULL, "not a domain name" },
    { "@", NULL, "not a domain name" },
    { "user@", NULL, "not a mailbox" },
    { "user@-a.example", NULL, "not a mailbox" },
    { "<user@example.com>", NULL, "not a mailbox" },
    { "a\x01"
      "b",
      NULL, "not an address" },
    { "j\xffrg", NULL, "UTF-8" },
};

static void has_one_spelling_for_an_entry(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(entries); i++) {
        const char *error = NULL;
        struct slice got = list_entry_normalise(slice_of(entries[i].entry), arena, &error);
        if (!slice_equal(got, slice_of(entries[i].want)) ||
            (got.ptr == NULL) != (entries[i].want == NULL))
            fail_msg("\"%s\" gives \"%.*s\" (%s)", entries[i].entry, SLICE_ARG(got), error);
        if (got.ptr == NULL && strstr(error, entries[i].error) == NULL)
            fail_msg("\"%s\" gives the error \"%s\"", entries[i].entry, error);
    }
}

static struct value subject_of(enum value_type type, const char *text)
{
    struct value value = { .type = type, .text = slice_of(text), .is_empty = text[0] == '\0' };

    if (type == VALUE_ADDRESS && !value.is_empty)
        assert_true(ipnet_parse(value.text, &value.net, NULL));
    return value;
}

/* From entries joined by `;`, each perhaps with a tail: "a until=5; !b". */
static struct list *list_of(const char *text)
{
    struct list_builder *builder = list_builder_new(1000);
    struct slice rest = slice_of(text), line;
    size_t offset;

    assert_non_null(builder);
    while (slice_next(&rest, ';', &line)) {
        const char *error = list_builder_add_line(builder, line, &offset);
        if (error != NULL)
            fail_msg("%.*s: %s", SLICE_ARG(line), error);
    }
    struct list *list = list_builder_finish(&builder);
    assert_non_null(list);
    assert_null(builder);
    return list;
}

#define LONG_DOMAIN                                                                                \
    "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.example.com"

static const struct {
    const char *list;
    enum value_type type;
    const char *subject;
    const char *want; /* the entry that decides; "" none */
} lookups[] = {
    /* networks: the longest prefix */
    { "192.0.2.0/24; 192.0.0.0/16; 192.0.2.1", VALUE_ADDRESS, "192.0.2.1", "192.0.2.1" },
    { "192.0.2.0/24; 192.0.0.0/16; 192.0.2.1", VALUE_ADDRESS, "192.0.2.2", "192.0.2.0/24" },
    { "192.0.2.0/24; 192.0.0.0/16; 192.0.2.1", VALUE_ADDRESS, "192.0.3.0", "192.0.0.0/16" },
    { "192.0.2.0/24; 192.0.0.0/16; 192.0.2.1", VALUE_ADDRESS, "192.1.0.0", "" },
    { "192.0.2.0/24; 192.0.0.0/16", VALUE_ADDRESS, "192.0.2.0/25", "192.0.2.0/24" },
    { "192.0.2.0/24; 192.0.0.0/16", VALUE_ADDRESS, "192.0.2.0/23", "192.0.0.0/16" },
    { "192.0.2.0/24; !192.0.2.128/25", VALUE_ADDRESS, "192.0.2.200", "!192.0.2.128/25" },
    { "!192.0.2.1; 192.0.2.1", VALUE_ADDRESS, "192.0.2.1", "!192.0.2.1" },
    { "192.0.2.1; !192.0.2.1", VALUE_ADDRESS, "192.0.2.1", "!192.0.2.1" },
    { "0.0.0.0/0; ::/0", VALUE_ADDRESS, "192.0.2.1", "0.0.0.0/0" },
    { "::/0", VALUE_ADDRESS, "192.0.2.1", "" },
    { "::/0; 192.0.2.1", VALUE_ADDRESS, "::1:0:0:1", "::/0" }, /* sorts behind all of IPv4 */
    { "2001:db8::/32; 2001:db8:1::/48", VALUE_ADDRESS, "2001:db8:1::5", "2001:db8:1::/48" },
    { "2001:db8::/32; 2001:db8:1::/48", VALUE_ADDRESS, "2001:db8:2::5", "2001:db8::/32" },
    { "192.0.2.0/24", VALUE_ADDRESS, "", "" },
    /* expiry: the next less specific one decides */
    { "192.0.2.0/24; !192.0.2.1 until=1000", VALUE_ADDRESS, "192.0.2.1", "192.0.2.0/24" },
    { "192.0.2.0/24; !192.0.2.1 until=1001", VALUE_ADDRESS, "192.0.2.1", "!192.0.2.1" },
    { "192.0.2.1; !192.0.2.1 until=1000", VALUE_ADDRESS, "192.0.2.1", "192.0.2.1" },
    { "192.0.2.1 until=1; 192.0.2.1; 192.0.2.1 until=2", VALUE_ADDRESS, "192.0.2.1", "192.0.2.1" },
    { "192.0.2.1 until=1; 192.0.2.1 until=2000", VALUE_ADDRESS, "192.0.2.1", "192.0.2.1" },
    { "192.0.2.0/24 until=1", VALUE_ADDRESS, "192.0.2.1", "" },
    { "@a.example; !bob@a.example until=1", VALUE_MAILBOX, "bob@a.example", "@a.example" },
    { "bob@a.example until=1; bob@a.example until=2000", VALUE_MAILBOX, "bob@a.example",
      "bob@a.example" },
    { "a.example; !a.example until=1", VALUE_DOMAIN, "a.example", "a.example" },
    /* mailboxes: itself, without extension, its domain, the nearest parent */
    { "bob+x@a.example; !bob@a.example", VALUE_MAILBOX, "bob+x@a.example", "bob+x@a.example" },
    { "bob+x@a.example; !bob@a.example", VALUE_MAILBOX, "bob+y@a.example", "!bob@a.example" },
    { "bob+x@a.example; !bob@a.example", VALUE_MAILBOX, "bob@a.example", "!bob@a.example" },
    { "bob@a.example; @a.example", VALUE_MAILBOX, "eve@a.example", "@a.example" },
    { "a.example; .example", VALUE_MAILBOX, "eve@a.example", "a.example" },
    { "a.example; !@a.example", VALUE_MAILBOX, "eve@a.example", "!@a.example" },
    { "!a.example; @a.example", VALUE_MAILBOX, "eve@a.example", "!a.example" },
    { "a.example; @a.example", VALUE_MAILBOX, "eve@b.a.example", "" },
    { ".a.example; .example", VALUE_MAILBOX, "eve@b.a.example", ".a.example" },
    { ".a.example; @a.example", VALUE_MAILBOX, "eve@a.example", "@a.example" },
    { ".a.example", VALUE_MAILBOX, "eve@a.example", ".a.example" },
    { ".a.example", VALUE_MAILBOX, "eve@xa.example", "" },
    { ".com; !.example.com", VALUE_MAILBOX, "eve@" LONG_DOMAIN, "!.example.com" },
    { ".com; !.a.a.a.a.example.com", VALUE_MAILBOX, "eve@" LONG_DOMAIN, "!.a.a.a.a.example.com" },
    { "." LONG_DOMAIN, VALUE_MAILBOX, "eve@" LONG_DOMAIN, "" }, /* only the last 32 labels count */
    { LONG_DOMAIN, VALUE_MAILBOX, "eve@" LONG_DOMAIN, LONG_DOMAIN },
    { "alice", VALUE_MAILBOX, "alice", "alice" },
    { "alice", VALUE_MAILBOX, "alice+x", "alice" },
    { "alice", VALUE_MAILBOX, "alice@a.example", "" },
    { "@a.example; a.example", VALUE_MAILBOX, "", "" },
    { "bob@a.example", VALUE_MAILBOX, "bob@", "" },
    /* domains */
    { "a.example; .example", VALUE_DOMAIN, "a.example", "a.example" },
    { "!a.example; .a.example", VALUE_DOMAIN, "a.example", "!a.example" },
    { "a.example", VALUE_DOMAIN, "b.a.example", "" },
    { ".a.example", VALUE_DOMAIN, "c.b.a.example", ".a.example" },
    { "@a.example", VALUE_DOMAIN, "a.example", "" },
    { "[192.0.2.1]", VALUE_DOMAIN, "[192.0.2.1]", "[192.0.2.1]" },
    /* words, texts, numbers: as a whole */
    { "KP; RU", VALUE_WORD, "kp", "kp" },
    { "KP; RU", VALUE_WORD, "KP", "kp" },
    { "KP; RU", VALUE_WORD, "K", "" },
    { "bob@a.example", VALUE_TEXT, "bob+x@a.example", "" },
    { ".example", VALUE_TEXT, "a.example", "" },
    { "64496", VALUE_NUMBER, "64496", "64496" },
    { "192.0.2.1", VALUE_TEXT, "192.0.2.1", "" },
    { "@a.example", VALUE_TEXT, "@a.example", "" },
    { "!kp", VALUE_TEXT, "!kp", "" },
};

static void the_most_specific_entry_decides(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(lookups); i++) {
        struct list *list = list_of(lookups[i].list);
        struct value subject = subject_of(lookups[i].type, lookups[i].subject);
        struct list_match match;
        AUTO_BUF text = BUF_INIT(400);
        bool found = list_lookup(list, &subject, NOW_MS, &match);
        assert_int_equal(0, list_match_print(&text, &match));
        if (found != match.found || !slice_equal(buf_slice(&text), slice_of(lookups[i].want)))
            fail_msg("\"%s\" in \"%s\" gives \"%s\"", lookups[i].subject, lookups[i].list,
                     buf_text(&text));
        list_free(&list);
    }
}

static void fetched_fields_decide_as_a_list_does(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(lookups); i++) {
        struct list *list = list_of(lookups[i].list);
        struct value subject = subject_of(lookups[i].type, lookups[i].subject);
        const struct slice *fields = NULL;
        struct slice texts[300] = { { NULL, 0 } };
        struct list_match want, got;
        AUTO_BUF text = BUF_INIT(400);
        size_t count = list_fields(&subject, arena, &fields), bad;

        assert_true(count <= COUNT(texts));
        for (size_t f = 0; f < count; f++) { /* what HMGET would answer */
            struct slice rest = slice_of(lookups[i].list), entry;
            while (slice_next(&rest, ';', &entry)) {
                struct slice head = entry;
                const char *error;
                if (!slice_cut(&entry, ' ', &head))
                    entry = SLICE("");
                struct slice name = list_entry_normalise(head, arena, &error);
                if (slice_equal(name, fields[f]))
                    texts[f] = entry; /* the last of equal fields stays, as in a hash */
            }
        }
        list_lookup(list, &subject, NOW_MS, &want);
        list_match_fields(&subject, fields, texts, count, NOW_MS, &got, &bad);
        assert_int_equal(SIZE_MAX, bad);
        assert_int_equal(0, list_match_print(&text, &got));
        bool is_wide = strstr(lookups[i].want, "/0") != NULL; /* lengths that are not asked for */
        bool is_twice = strstr(lookups[i].list, "until=1; 192.0.2.1; ") != NULL;
        if (!is_wide && !is_twice &&
            (!slice_equal(buf_slice(&text), slice_of(lookups[i].want)) ||
             got.specificity != want.specificity))
            fail_msg("\"%s\" in \"%s\" gives \"%s\" (%u)", lookups[i].subject, lookups[i].list,
                     buf_text(&text), got.specificity);
        list_free(&list);
    }
}

static const struct {
    enum value_type type;
    const char *subject;
    const char *want; /* joined by blanks */
} fields_of[] = {
    { VALUE_MAILBOX, "bob+x@b.example",
      "!bob+x@b.example bob+x@b.example !bob@b.example bob@b.example "
      "!@b.example !b.example @b.example b.example !.b.example .b.example !.example .example " },
    { VALUE_DOMAIN, "b.example",
      "!b.example b.example !.b.example .b.example !.example .example " },
    { VALUE_WORD, "KP", "!kp kp " },
    { VALUE_ADDRESS, "192.0.0.0/10",
      "!192.0.0.0/10 192.0.0.0/10 !192.0.0.0/9 192.0.0.0/9 !192.0.0.0/8 192.0.0.0/8 " },
    { VALUE_ADDRESS, "2001:db8::/29",
      "!2001:db8::/29 2001:db8::/29 !2001:db0::/28 2001:db0::/28 !2001:d00::/24 2001:d00::/24 "
      "!2001::/20 2001::/20 !2001::/16 2001::/16 " },
    { VALUE_ADDRESS, "", "" },
    { VALUE_MAILBOX, "", "" },
};

static void asks_for_all_fields_that_could_decide(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(fields_of); i++) {
        struct value subject = subject_of(fields_of[i].type, fields_of[i].subject);
        const struct slice *fields = NULL;
        AUTO_BUF text = BUF_INIT(4000);
        size_t count = list_fields(&subject, arena, &fields);
        for (size_t f = 0; f < count; f++)
            assert_int_equal(0, buf_printf(&text, "%.*s ", SLICE_ARG(fields[f])));
        assert_slice(fields_of[i].want, buf_slice(&text));
    }
}

static void asks_for_the_networks_that_people_write(UNUSED void **state)
{
    static const unsigned ipv6[] = { 112, 96, 80, 64, 60, 56, 52, 48, 44,
                                     40,  36, 32, 29, 28, 24, 20, 16 };
    const struct value four = subject_of(VALUE_ADDRESS, "255.255.255.255");
    const struct value six = subject_of(VALUE_ADDRESS, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    const struct slice *fields = NULL;

    assert_int_equal(2 * 25, list_fields(&four, arena, &fields));
    assert_slice("255.255.255.255", fields[1]);
    for (unsigned bits = 31; bits >= 8; bits--) {
        AUTO_BUF tail = BUF_INIT(10);
        buf_printf(&tail, "/%u", bits);
        assert_true(slice_ends_with(fields[2 * (32 - bits)], buf_slice(&tail)));
        assert_true(slice_ends_with(fields[2 * (32 - bits) + 1], buf_slice(&tail)));
    }
    assert_int_equal(2 + 2 * COUNT(ipv6), list_fields(&six, arena, &fields));
    assert_slice("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", fields[1]);
    for (size_t i = 0; i < COUNT(ipv6); i++) {
        AUTO_BUF tail = BUF_INIT(10);
        buf_printf(&tail, "/%u", ipv6[i]);
        assert_true(slice_ends_with(fields[2 + 2 * i], buf_slice(&tail)));
    }
}

static void a_nul_does_not_cut_a_field(UNUSED void **state)
{
    struct value subject = { .type = VALUE_MAILBOX, .text = SLICE_INIT("bob@a.example\0x") };
    const struct slice *fields;

    assert_true(list_fields(&subject, arena, &fields) > 2);
    assert_true(slice_equal(SLICE("!bob@a.example\0x"), fields[0]));
    assert_true(slice_equal(SLICE("bob@a.example\0x"), fields[1]));
}

static void passes_over_a_fetched_text_that_does_not_parse(UNUSED void **state)
{
    struct value subject = subject_of(VALUE_DOMAIN, "example");
    const struct slice *fields;
    struct slice texts[4] = {
        { NULL, 0 }, SLICE_INIT("until=soon"), SLICE_INIT("stray"), SLICE_INIT("by=root note=why")
    };
    struct list_match match;
    size_t bad;

    assert_int_equal(4, list_fields(&subject, arena, &fields));
    assert_true(list_match_fields(&subject, fields, texts, 4, NOW_MS, &match, &bad));
    assert_int_equal(1, bad);
    assert_slice(".example", match.entry);
    assert_slice("root", match.by);
    assert_slice("why", match.note);
    texts[3].ptr = NULL;
    assert_false(list_match_fields(&subject, fields, texts, 4, NOW_MS, &match, NULL));
}

static void says_when_memory_for_fields_is_out(UNUSED void **state)
{
    struct value subject = subject_of(VALUE_ADDRESS, "192.0.2.1");
    const struct slice *fields;

    for (size_t max = 0; max < 8000; max += 500) {
        struct arena *small = arena_new(max);
        assert_non_null(small);
        size_t count = list_fields(&subject, small, &fields);
        assert_true(count == 50 || count == SIZE_MAX);
        assert_true(max > 0 || count == SIZE_MAX);
        arena_free(&small);
    }
}

static const struct {
    const char *line, *by, *note;
    uint64_t until_s;
    const char *error;
    size_t offset;
} lines[] = {
    { "  example.com until=2000 by=root note=all # of it", "root", "all # of it", 2000, NULL, 0 },
    { "example.com # why", "", "why", 0, NULL, 0 },
    { "example.com #why", "", "why", 0, NULL, 0 },
    { "example.com\tuntil=2000 # why\r", "", "why", 2000, NULL, 0 },
    { "example.com by=#root", "#root", "", 0, NULL, 0 },
    { "example.com note=kept # why", "", "kept # why", 0, NULL, 0 },
    { "  example..com", NULL, NULL, 0, "not a domain name", 2 },
    { "  example.com  other.com", NULL, NULL, 0, "only until=, by= and note=", 15 },
    { "example.com until=soon", NULL, NULL, 0, "Unix seconds", 12 },
};

static void reads_a_line_of_a_file(UNUSED void **state)
{
    struct value subject = subject_of(VALUE_DOMAIN, "example.com");

    for (size_t i = 0; i < COUNT(lines); i++) {
        struct list_builder *builder = list_builder_new(10);
        struct list_match match;
        size_t offset = 0;
        const char *error = list_builder_add_line(builder, slice_of(lines[i].line), &offset);
        if ((error != NULL) != (lines[i].error != NULL) ||
            (error != NULL && (strstr(error, lines[i].error) == NULL || offset != lines[i].offset)))
            fail_msg("\"%s\": %s, at %zu", lines[i].line, error == NULL ? "taken" : error, offset);
        struct list *list = list_builder_finish(&builder);
        assert_int_equal(error == NULL, list_lookup(list, &subject, NOW_MS, &match));
        assert_slice(lines[i].by, match.by);
        assert_slice(lines[i].note, match.note);
        assert_true(lines[i].until_s == match.until_s);
        list_free(&list);
    }
}

static void of_a_network_it_says_who_and_why(UNUSED void **state)
{
    struct value subject = subject_of(VALUE_ADDRESS, "192.0.2.1");
    struct list *list = list_of("192.0.2.0/24 until=2000 by=root note=spam");
    struct list_match match;

    assert_true(list_lookup(list, &subject, NOW_MS, &match));
    assert_int_equal(2000, match.until_s);
    assert_slice("root", match.by);
    assert_slice("spam", match.note);
    list_free(&list);
}

static void an_entry_given_twice_is_one(UNUSED void **state)
{
    struct list *list = list_of("a.example; A.example.; !a.example; @a.example; .a.example; "
                                "192.0.2.1; !192.0.2.1; 192.0.2.1/32 until=5");

    assert_int_equal(4 + 2, list_count(list));
    assert_int_equal(2, list_networks(list));
    list_free(&list);
}

static void empty_lines_and_comments_are_no_entries(UNUSED void **state)
{
    static const char *const nothing[] = { "", "  ", "# comment", "  # comment", "\r" };
    struct list_builder *builder = list_builder_new(10);
    size_t offset;

    for (size_t i = 0; i < COUNT(nothing); i++)
        assert_null(list_builder_add_line(builder, slice_of(nothing[i]), &offset));
    struct list *list = list_builder_finish(&builder);
    assert_int_equal(0, list_count(list));
    list_free(&list);
}

static void says_where_a_live_entry_is_wrong(UNUSED void **state)
{
    struct list_builder *builder = list_builder_new(2);
    bool in_tail;

    assert_non_null(list_builder_add(builder, SLICE("a..b"), SLICE("by=x"), &in_tail));
    assert_false(in_tail);
    assert_non_null(list_builder_add(builder, SLICE("a.b"), SLICE("stray"), &in_tail));
    assert_true(in_tail);
    assert_null(list_builder_add(builder, SLICE("a.b"), (struct slice){ NULL, 0 }, &in_tail));
    assert_null(list_builder_add(builder, SLICE("word with blanks"), SLICE(""), NULL));
    assert_true(list_builder_is_full(builder));
    assert_non_null(list_builder_add(builder, SLICE("c.d"), SLICE(""), NULL)); /* over the cap */
    list_builder_free(&builder);
    assert_null(builder);
}

static void of_file_and_live_the_more_specific_decides(UNUSED void **state)
{
    struct list_match none = { .found = false };
    struct list_match low = { .found = true, .specificity = 10 };
    struct list_match high = { .found = true, .specificity = 11, .excluded = true };
    struct list_match same = { .found = true, .specificity = 11 };

    assert_ptr_equal(&high, list_pick(&low, &high));
    assert_ptr_equal(&high, list_pick(&high, &low));
    assert_ptr_equal(&same, list_pick(&high, &same)); /* equal: live */
    assert_ptr_equal(&high, list_pick(&same, &high));
    assert_ptr_equal(&low, list_pick(&low, &none));
    assert_ptr_equal(&low, list_pick(&none, &low));
    assert_false(list_pick(&none, &none)->found);
    assert_true(list_match_is_member(&low));
    assert_false(list_match_is_member(&high));
    assert_false(list_match_is_member(&none));
}

static void of_networks_the_narrower_decides_wherever_it_is(UNUSED void **state)
{
    struct value subject = subject_of(VALUE_ADDRESS, "192.0.2.1");
    struct list *narrow = list_of("!192.0.2.0/24"), *wide = list_of("192.0.0.0/16");
    struct list_match in_narrow, in_wide;

    assert_true(list_lookup(narrow, &subject, NOW_MS, &in_narrow));
    assert_true(list_lookup(wide, &subject, NOW_MS, &in_wide));
    assert_ptr_equal(&in_narrow, list_pick(&in_narrow, &in_wide));
    assert_ptr_equal(&in_narrow, list_pick(&in_wide, &in_narrow));
    list_free(&narrow);
    list_free(&wide);
}

static void bounds_the_length_of_an_entry(UNUSED void **state)
{
    char text[322];
    const char *error = NULL;
    struct arena *none = arena_new(0);

    memset(text, 'a', sizeof text);
    text[0] = '!';
    assert_int_equal(321, list_entry_normalise((struct slice){ text, 321 }, arena, &error).len);
    assert_null(list_entry_normalise((struct slice){ text, 322 }, arena, &error).ptr);
    assert_null(list_entry_normalise((struct slice){ text, 322 }, none, &error).ptr);
    assert_string_equal("out of memory", error);
    arena_free(&none);
    text[0] = 'a';
    assert_int_equal(320, list_entry_normalise((struct slice){ text, 320 }, arena, &error).len);
    assert_null(list_entry_normalise((struct slice){ text, 321 }, arena, &error).ptr);
    assert_string_equal("longer than 320 bytes", error);
}

static void lives_until_its_last_owner_is_done(UNUSED void **state)
{
    struct list *list = list_of("a.example"), *other = list_share(list);
    struct value subject = subject_of(VALUE_DOMAIN, "a.example");
    struct list_match match;

    list_free(&list);
    assert_null(list);
    assert_true(list_lookup(other, &subject, NOW_MS, &match));
    assert_true(list_memory(other) > 0);
    list_free(&other);
    assert_false(list_lookup(NULL, &subject, NOW_MS, &match));
    assert_int_equal(0, list_count(NULL));
    assert_int_equal(0, list_networks(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_one_spelling_for_an_entry),
        cmocka_unit_test(the_most_specific_entry_decides),
        cmocka_unit_test(fetched_fields_decide_as_a_list_does),
        cmocka_unit_test(asks_for_all_fields_that_could_decide),
        cmocka_unit_test(asks_for_the_networks_that_people_write),
        cmocka_unit_test(a_nul_does_not_cut_a_field),
        cmocka_unit_test(passes_over_a_fetched_text_that_does_not_parse),
        cmocka_unit_test(says_when_memory_for_fields_is_out),
        cmocka_unit_test(reads_a_line_of_a_file),
        cmocka_unit_test(of_a_network_it_says_who_and_why),
        cmocka_unit_test(an_entry_given_twice_is_one),
        cmocka_unit_test(empty_lines_and_comments_are_no_entries),
        cmocka_unit_test(says_where_a_live_entry_is_wrong),
        cmocka_unit_test(of_file_and_live_the_more_specific_decides),
        cmocka_unit_test(of_networks_the_narrower_decides_wherever_it_is),
        cmocka_unit_test(bounds_the_length_of_an_entry),
        cmocka_unit_test(lives_until_its_last_owner_is_done),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
