/* tests/bench/bench_lists.c - a list of 1,000,000 entries, half of them networks and addresses: seconds to load it from a
 * file, bytes of memory, nanoseconds per lookup of each type, hit and miss. Subjects are drawn at random, so that caches
 * help no more than they would in service. */
#include "common/base/clock.h"
#include "common/lists/source.h"
#include "tests/bench/measure/measure.h"

#include <unistd.h>

enum { ENTRIES = 1000 * 1000, SUBJECTS = 1 << 16, LOOKUPS = 1 << 20 };

static uint64_t seed = 20251122;

static uint32_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* The n-th entry of the file; `kind` 0 to 7. */
static int entry_print(char *out, size_t size, unsigned kind, uint32_t n)
{
    uint32_t mixed = n * UINT32_C(2654435761); /* spread over the address space, and invertible */
    unsigned a = mixed >> 24, b = mixed >> 16 & 255, c = mixed >> 8 & 255, d = mixed & 255;

    switch (kind) {
    case 0:
    case 1:
        return snprintf(out, size, "%u.%u.%u.%u", a, b, c, d);
    case 2:
        return snprintf(out, size, "%u.%u.%u.0/24", a, b, c);
    case 3:
        return snprintf(out, size, "2a0%u:%x:%x::/48", d % 10, mixed >> 16, mixed & 0xffff);
    case 4:
        return snprintf(out, size, "user%x@domain%x.example", mixed, n % 4096);
    case 5:
        return snprintf(out, size, "domain%x.example", mixed);
    case 6:
        return snprintf(out, size, ".sub%x.example", mixed);
    default:
        return snprintf(out, size, "@mail%x.example until=4000000000 note=seen in a trap", mixed);
    }
}

static const struct {
    const char *what;
    enum value_type type;
    const char *format; /* of two numbers; NULL: of the entry of that kind */
    unsigned kind;
} subjects[] = {
    { "IPv4 address, hit", VALUE_ADDRESS, NULL, 0 },
    { "IPv4 address, random", VALUE_ADDRESS, "%u.77.%u.1", 0 },
    { "IPv6 address, hit", VALUE_ADDRESS, NULL, 3 },
    { "IPv6 address, miss", VALUE_ADDRESS, "2b00:%x:%x::1", 0 },
    { "mailbox, hit", VALUE_MAILBOX, NULL, 4 },
    { "mailbox, hit by domain", VALUE_MAILBOX, "nobody%x@domain%x.example", 5 },
    { "mailbox, miss", VALUE_MAILBOX, "nobody%x@a.b%x.invalid", 0 },
    { "mailbox with +x, miss", VALUE_MAILBOX, "nobody%x+x@a.b%x.invalid", 0 },
    { "domain, hit", VALUE_DOMAIN, NULL, 5 },
    { "domain, miss", VALUE_DOMAIN, "www%x.b%x.invalid", 0 },
    { "word, miss", VALUE_WORD, "word%x-%x", 0 },
};

static char texts[SUBJECTS][80];
static struct value values[SUBJECTS];

static void subject_make(size_t row, size_t i)
{
    uint32_t n = random_number() % (ENTRIES / 8) * 8 + subjects[row].kind;
    char *text = texts[i];

    if (subjects[row].format == NULL) {
        entry_print(text, sizeof texts[i], subjects[row].kind, n);
        char *slash = strchr(text, '/');
        if (slash != NULL)
            *slash = '\0'; /* the first address of the network */
    } else {
        uint32_t first = random_number(), second = n * UINT32_C(2654435761);
        bool is_ipv4 = subjects[row].format[1] == 'u';
        uint32_t mask = is_ipv4 ? 0xff : subjects[row].type == VALUE_ADDRESS ? 0xffff : UINT32_MAX;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof texts[i], subjects[row].format, first & mask, second & mask);
#pragma GCC diagnostic pop
    }
    values[i] = (struct value){ .type = subjects[row].type, .text = slice_of(text) };
    if (values[i].type == VALUE_ADDRESS && !ipnet_parse(values[i].text, &values[i].net, NULL))
        abort();
}

static void row_measure(const struct list *list, size_t row)
{
    struct list_match match;
    size_t found = 0;

    for (size_t i = 0; i < SUBJECTS; i++)
        subject_make(row, i);
    uint64_t wall_ms = clock_system.wall_ms(&clock_system);
    double start = (double)bench_now_ns();
    for (size_t i = 0; i < LOOKUPS; i++)
        found += list_lookup(list, &values[i % SUBJECTS], wall_ms, &match);
    double each = ((double)bench_now_ns() - start) / LOOKUPS;
    printf("%-26s %6.0f ns   %3.0f %% found\n", subjects[row].what, each,
           100.0 * (double)found / LOOKUPS);
}

static void report(UNUSED void *arg, const char *path, size_t line, size_t column, const char *text)
{
    fprintf(stderr, "%s:%zu:%zu: %s\n", path, line, column, text);
}

static bool file_make(char *path)
{
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    char text[80];

    if (file == NULL)
        return false;
    for (uint32_t n = 0; n < ENTRIES; n++) {
        entry_print(text, sizeof text, n % 8, n);
        fprintf(file, "%s\n", text);
    }
    return fclose(file) == 0;
}

int main(void)
{
    char path[] = "/tmp/gatehouse-bench-XXXXXX";
    const struct source_errors errors = { report, NULL };
    int rc = EXIT_FAILURE;

    if (!file_make(path))
        return rc;
    struct list_source *source = list_source_new(path, SOURCE_LIST, SOURCE_BOUNDS_DEFAULT);
    double start = (double)bench_now_ns();
    if (source != NULL && list_source_refresh(source, &errors) == SOURCE_LOADED) {
        const struct list *list = list_source_list(source);
        printf("%zu entries loaded in %.2f s, %.1f MiB\n", list_count(list),
               ((double)bench_now_ns() - start) / 1e9, (double)list_memory(list) / (1 << 20));
        for (size_t row = 0; row < COUNT(subjects); row++)
            row_measure(list, row);
        rc = EXIT_SUCCESS;
    }
    list_source_free(&source);
    unlink(path);
    return rc;
}
