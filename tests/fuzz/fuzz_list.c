/* tests/fuzz/fuzz_list.c - the input is a list file; every entry that it has is found when it is looked up, and entries
 * fetched one by one decide as the list does. */
#include "common/lists/source.h"
#include "common/mail/address.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void report(UNUSED void *arg, UNUSED const char *path, UNUSED size_t line, size_t column,
                   const char *text)
{
    expect(text[0] != '\0' && column <= 1 << 20);
}

static void look_up(const struct list *list, enum value_type type, struct slice text,
                    struct arena *arena)
{
    struct value subject = { .type = type, .is_empty = text.len == 0, .text = text };
    struct list_match match;
    const struct slice *fields;
    AUTO_BUF printed = BUF_INIT(400);

    if (type == VALUE_ADDRESS && !ipnet_parse(text, &subject.net, NULL))
        return;
    expect(list_lookup(list, &subject, 1000, &match) == match.found);
    expect(list_match_print(&printed, &match) == 0);
    size_t count = list_fields(&subject, arena, &fields);
    expect(count == SIZE_MAX || count < 200);
    arena_reset(arena);
}

static void look_up_words(const struct list *list, struct slice words)
{
    struct arena *arena = arena_new(1 << 20), *fields = arena_new(1 << 20);
    struct slice line, normal;

    if (arena == NULL || fields == NULL)
        abort();
    while (slice_next(&words, '\n', &line)) {
        if (address_normalise_mailbox(line, arena, &normal) != ADDRESS_NO_MEMORY) {
            look_up(list, VALUE_MAILBOX, normal, fields);
            look_up(list, VALUE_WORD, normal, fields);
        }
        if (address_normalise_domain(line, arena, &normal) != ADDRESS_NO_MEMORY)
            look_up(list, VALUE_DOMAIN, normal, fields);
        look_up(list, VALUE_ADDRESS, line, fields);
        arena_reset(arena);
    }
    arena_free(&arena);
    arena_free(&fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct source_errors errors = { report, NULL };
    char path[64];
    int fd = memfd_create("list", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct list_source *source = list_source_new(path, SOURCE_LIST, SOURCE_BOUNDS_DEFAULT);
    if (source == NULL || list_source_refresh(source, &errors) != SOURCE_LOADED)
        abort();
    look_up_words(list_source_list(source), (struct slice){ (const char *)data, size });
    list_source_free(&source);
    close(fd);
    return 0;
}
