/* tests/fuzz/fuzz_address.c - normal forms are bounded and stay as they are when they are normalised again; a domain does
 * not move: what follows the last @ of a mailbox has the same normal form on its own. */
#include "common/mail/address.h"
#include "common/mail/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void check_mailbox(struct slice text, struct arena *arena)
{
    struct slice once, twice, domain;
    enum address_form form = address_normalise_mailbox(text, arena, &once);

    expect(form != ADDRESS_NO_MEMORY && once.len <= ADDRESS_MAX);
    if (form == ADDRESS_NORMAL) {
        expect(address_normalise_mailbox(once, arena, &twice) == ADDRESS_NORMAL);
        expect(slice_equal(once, twice));
    }
    if (address_domain(once).ptr != NULL && text.ptr[0] != '"') {
        address_normalise_domain(address_domain(text), arena, &domain);
        expect(slice_equal(domain, address_domain(once)));
    }
    struct slice stripped = address_strip_extension(once, SLICE("+-"), arena);
    expect(stripped.len <= once.len && slice_equal(address_domain(stripped), address_domain(once)));
    address_is_valid_mailbox(once);
}

static void check_domain(struct slice text, struct arena *arena)
{
    struct slice once, twice;
    enum address_form form = address_normalise_domain(text, arena, &once);

    expect(form != ADDRESS_NO_MEMORY && once.len <= ADDRESS_MAX);
    if (form == ADDRESS_NORMAL) {
        expect(address_normalise_domain(once, arena, &twice) == ADDRESS_NORMAL);
        expect(slice_equal(once, twice));
    }
    address_is_valid_domain(once);
    for (size_t len = once.len; address_parent_domain(&once); len = once.len)
        expect(once.len > 0 && once.len < len);
}

static void check_reply(struct slice text)
{
    AUTO_BUF out = BUF_INIT(REPLY_MAX);
    struct reply reply;
    const char *error = NULL;

    if (!reply_parse(text, "45", &reply, &error)) {
        expect(error != NULL);
        return;
    }
    reply_escape(&out, reply.text); /* cut when it is too long */
    expect(out.len <= REPLY_MAX);
    for (size_t i = 0; i < out.len; i++)
        expect(ascii_is_print(out.data[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct arena *arena = arena_new(1 << 20);

    if (arena == NULL)
        return 0;
    if (size > 0) {
        check_mailbox(text, arena);
        check_domain(text, arena);
    }
    check_reply(text);
    arena_free(&arena);
    return 0;
}
