/* common/limits/classes.c - members sorted by name for a binary search; networks sorted by length and address, one
 * search for each length that occurs. See classes.h. */
#include "common/limits/classes.h"

#include "common/limits/limit_impl.h"
#include "common/live/tail.h"
#include "common/mail/address.h"

#include <stdarg.h>

#define CLASSES_BYTES_MAX ((size_t)1 << 30)

struct member {
    struct slice name; /* `alice@example.com`, `@example.com`; networks: as printed */
    struct ipnet net; /* unset: not a network */
    struct slice class_name;
    uint64_t until_s;
    size_t source;
};

struct classes {
    struct arena *arena; /* owns all */
    struct member *names, *nets; /* sorted */
    size_t name_count, net_count;
    bool has_bits[129]; /* lengths that occur among `nets` */
};

struct reader {
    void (*add)(void *arg, const struct class_error *error);
    void *arg;
    size_t source;
};

static void PRINTF_LIKE(4, 5)
    mistake(const struct reader *reader, bool in_text, size_t offset, const char *format, ...)
{
    struct class_error error = { reader->source, in_text, offset, "" };
    va_list args;

    va_start(args, format);
    vsnprintf(error.text, sizeof error.text, format, args);
    va_end(args);
    if (reader->add != NULL)
        reader->add(reader->arg, &error);
}

bool class_name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_alnum(name.ptr[i]) && strchr("-_.", name.ptr[i]) == NULL)
            return false;
    return name.len > 0 && name.len <= CLASS_NAME_MAX;
}

/* ---- reading ---- */

static bool read_text(const struct reader *reader, struct slice text, struct member *member)
{
    struct live_tail tail;
    const char *why;

    if (!live_tail_parse(text, &tail, &why)) {
        mistake(reader, true, 0, "%s", why);
        return false;
    }
    if (!class_name_is_valid(tail.head)) {
        mistake(reader, true, 0,
                "the name of a class is letters, digits, - _ and ., at most %d bytes",
                CLASS_NAME_MAX);
        return false;
    }
    member->class_name = tail.head;
    member->until_s = tail.until_s;
    return true;
}

/* Something with a `/` or two `:` is meant as a network; a login may hold either, so only what looks wholly like one. */
static bool looks_like_network(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_digit(name.ptr[i]) && strchr("abcdefABCDEF.:/", name.ptr[i]) == NULL)
            return false;
    return slice_find(name, '.') != SIZE_MAX || slice_find(name, ':') != SIZE_MAX;
}

/* 1: read, 0: a mistake, -1: memory is out. */
static int read_member(const struct reader *reader, struct arena *arena, struct slice name,
                       struct member *member)
{
    char why[IPNET_ERROR_MAX];
    struct slice normal;

    if (name.len == 0 || slice_equal(name, SLICE("@"))) {
        mistake(reader, false, 0, "who belongs to the class is missing");
        return 0;
    }
    if (looks_like_network(name)) {
        if (ipnet_parse(name, &member->net, why))
            return 1;
        if (slice_find(name, '/') != SIZE_MAX) {
            mistake(reader, false, 0, "%s", why);
            return 0;
        }
    }
    if (name.ptr[0] != '@') {
        if (address_normalise_mailbox(name, arena, &normal) == ADDRESS_NO_MEMORY)
            return -1;
        member->name = arena_copy(arena, normal);
        return member->name.ptr == NULL ? -1 : 1;
    }
    if (address_normalise_domain(slice_skip(name, 1), arena, &normal) == ADDRESS_NO_MEMORY)
        return -1;
    if (!address_is_valid_domain(normal)) {
        mistake(reader, false, 1, "this is no domain");
        return 0;
    }
    member->name = limit_concat(arena, SLICE("@"), normal);
    return member->name.ptr == NULL ? -1 : 1;
}

/* The longest first, so that equal lengths lie together. */
static int compare_nets(const struct ipnet *a, const struct ipnet *b)
{
    if (a->bits != b->bits)
        return a->bits > b->bits ? -1 : 1;
    return ip_address_compare(&a->address, &b->address);
}

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return x->net.is_set ? compare_nets(&x->net, &y->net) : slice_compare(x->name, y->name);
}

static int compare_members_and_sources(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = compare_members(a, b);

    return order != 0 ? order : (x->source > y->source) - (x->source < y->source);
}

static size_t sort_members(struct reader *reader, struct member *members, size_t count)
{
    size_t kept = 0;

    qsort(members, count, sizeof *members, compare_members_and_sources);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && compare_members(&members[kept - 1], &members[i]) == 0) {
            reader->source = members[i].source;
            mistake(reader, false, 0, "this member has a class already");
            continue;
        }
        members[kept++] = members[i];
    }
    return kept;
}

/* False when memory is out. */
static bool read_all(struct classes *classes, struct reader *reader,
                     const struct class_source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct member member = { .source = i };
        reader->source = i;
        int rc = read_member(reader, classes->arena, slice_trim(sources[i].member), &member);
        if (rc < 0)
            return false;
        if (rc == 0 || !read_text(reader, sources[i].text, &member))
            continue;
        member.class_name = arena_copy(classes->arena, member.class_name);
        if (member.class_name.ptr == NULL)
            return false;
        if (member.net.is_set)
            classes->nets[classes->net_count++] = member;
        else
            classes->names[classes->name_count++] = member;
    }
    classes->name_count = sort_members(reader, classes->names, classes->name_count);
    classes->net_count = sort_members(reader, classes->nets, classes->net_count);
    for (size_t i = 0; i < classes->net_count; i++)
        classes->has_bits[classes->nets[i].net.bits] = true;
    return true;
}

struct classes *classes_new(const struct class_source *sources, size_t count,
                            void (*error)(void *arg, const struct class_error *error), void *arg)
{
    struct classes *classes = calloc(1, sizeof *classes);
    struct reader reader = { .add = error, .arg = arg };

    if (classes == NULL)
        return NULL;
    classes->arena = arena_new(CLASSES_BYTES_MAX);
    if (classes->arena != NULL) {
        classes->names = arena_alloc_array(classes->arena, count, sizeof *classes->names);
        classes->nets = arena_alloc_array(classes->arena, count, sizeof *classes->nets);
    }
    if (classes->arena == NULL || classes->names == NULL || classes->nets == NULL ||
        !read_all(classes, &reader, sources, count))
        classes_free(&classes);
    return classes;
}

void classes_free(struct classes **classes)
{
    if (*classes == NULL)
        return;
    arena_free(&(*classes)->arena);
    free(*classes);
    *classes = NULL;
}

size_t classes_count(const struct classes *classes)
{
    return classes->name_count + classes->net_count;
}

/* ---- looking up ---- */

static struct slice in_force(const struct member *member, uint64_t wall_ms)
{
    const struct live_tail tail = { .until_s = member == NULL ? 0 : member->until_s };

    if (member == NULL || live_tail_is_expired(&tail, wall_ms))
        return (struct slice){ NULL, 0 };
    return member->class_name;
}

static struct slice find_name(const struct classes *classes, struct slice name, uint64_t wall_ms)
{
    const struct member wanted = { .name = name };

    if (classes == NULL || classes->name_count == 0)
        return (struct slice){ NULL, 0 };
    return in_force(
        bsearch(&wanted, classes->names, classes->name_count, sizeof wanted, compare_members),
        wall_ms);
}

static struct slice find_net(const struct classes *classes, const struct ipnet *net, unsigned bits,
                             uint64_t wall_ms)
{
    struct member wanted = { .net = *net };

    if (classes == NULL || !classes->has_bits[bits])
        return (struct slice){ NULL, 0 };
    wanted.net = ipnet_mask(net, bits >= IPV4_PREFIX_BITS ? bits - IPV4_PREFIX_BITS : 0, bits);
    if (wanted.net.bits != bits)
        return (struct slice){ NULL, 0 };
    return in_force(
        bsearch(&wanted, classes->nets, classes->net_count, sizeof wanted, compare_members),
        wall_ms);
}

static struct slice find_either(const struct classes *file, const struct classes *live,
                                struct slice name, uint64_t wall_ms)
{
    struct slice found = find_name(live, name, wall_ms);

    return found.ptr != NULL ? found : find_name(file, name, wall_ms);
}

/* `domain` as a value of its own was looked for before: here it stands for all below it. */
static struct slice find_domain(const struct classes *file, const struct classes *live,
                                struct slice domain, uint64_t wall_ms)
{
    char name[1 + ADDRESS_DOMAIN_MAX];
    struct slice found = { NULL, 0 };

    while (found.ptr == NULL && domain.len > 0 && domain.len <= ADDRESS_DOMAIN_MAX) {
        name[0] = '@';
        memcpy(name + 1, domain.ptr, domain.len);
        found = find_either(file, live, (struct slice){ name, domain.len + 1 }, wall_ms);
        if (!address_parent_domain(&domain))
            break;
    }
    return found;
}

static struct slice find_networks(const struct classes *file, const struct classes *live,
                                  const struct ipnet *net, uint64_t wall_ms)
{
    struct slice found = { NULL, 0 };

    for (unsigned bits = net->bits + 1; found.ptr == NULL && bits-- > 0;) {
        found = find_net(live, net, bits, wall_ms);
        if (found.ptr == NULL)
            found = find_net(file, net, bits, wall_ms);
    }
    return found;
}

struct slice classes_find(const struct classes *file, const struct classes *live,
                          struct slice value, uint64_t wall_ms)
{
    struct slice found, none = { NULL, 0 };
    size_t at = slice_rfind(value, '@');
    struct ipnet net;

    if (value.len == 0)
        return none;
    found = find_either(file, live, value, wall_ms);
    if (found.ptr != NULL)
        return found;
    if (at == SIZE_MAX && looks_like_network(value) && ipnet_parse(value, &net, NULL))
        return find_networks(file, live, &net, wall_ms);
    return find_domain(file, live, at == SIZE_MAX ? value : slice_skip(value, at + 1), wall_ms);
}

struct slice classes_of_key(const struct limit *limit, const struct classes *file,
                            const struct classes *live, struct slice value, uint64_t wall_ms)
{
    struct slice found = classes_find(file, live, value, wall_ms);

    for (size_t n = 0; found.ptr == NULL && limit->key_count > 1 && n < limit->key_count; n++)
        found = classes_find(file, live, limit_key_part(limit, value, n), wall_ms);
    return found;
}
