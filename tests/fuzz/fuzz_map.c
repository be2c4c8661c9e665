/* tests/fuzz/fuzz_map.c - the input is a map file in Postfix's form; looking up every word of it ends well, and what is
 * found has values, each of which the map says it has. */
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

static void report(UNUSED void *arg, UNUSED const char *path, UNUSED size_t line,
                   UNUSED size_t column, const char *text)
{
    expect(text[0] != '\0');
}

static void look_up(const struct map *map, enum value_type type, struct slice text)
{
    struct value key = { .type = type, .is_empty = text.len == 0, .text = text };
    struct map_match match;
    struct slice rest, value;

    if (type == VALUE_ADDRESS && !ipnet_parse(text, &key.net, NULL))
        return;
    if (!map_lookup(map, &key, 1000, &match))
        return;
    expect(match.key.len > 0 && match.values.len > 0 && match.values.len <= MAP_VALUES_MAX);
    rest = match.values;
    while (map_value_next(&rest, &value))
        expect(map_has(map, &key, value, 1000));
}

static void look_up_words(const struct map *map, struct slice words)
{
    struct arena *arena = arena_new(1 << 20);
    struct slice line, word, normal;

    if (arena == NULL)
        abort();
    while (slice_next(&words, '\n', &line)) {
        if (!slice_cut(&line, ' ', &word))
            word = line;
        if (address_normalise_mailbox(word, arena, &normal) != ADDRESS_NO_MEMORY) {
            look_up(map, VALUE_MAILBOX, normal);
            look_up(map, VALUE_DOMAIN, normal);
            look_up(map, VALUE_TEXT, normal);
        }
        look_up(map, VALUE_ADDRESS, word);
        arena_reset(arena);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct source_errors errors = { report, NULL };
    char path[64];
    int fd = memfd_create("map", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct list_source *source = list_source_new(path, SOURCE_MAP, SOURCE_BOUNDS_DEFAULT);
    if (source == NULL || list_source_refresh(source, &errors) != SOURCE_LOADED)
        abort();
    look_up_words(list_source_map(source), (struct slice){ (const char *)data, size });
    list_source_free(&source);
    close(fd);
    return 0;
}
