/* tests/fuzz/fuzz_policy_proto.c - any bytes as policy requests: attributes lie in the request, more bytes never change
 * what is decided about the first ones, and any text as a reply leaves as one that Postfix takes. */
#include <stdint.h>

#include "policyd/policy_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_request(const struct policy_request *req, struct slice in, size_t used)
{
    char one[33], other[33];

    require(used > 0 && used <= in.len && used <= POLICY_REQUEST_MAX);
    require(req->raw.ptr == in.ptr && req->raw.len == used);
    for (size_t i = 0; i < POLICY_ATTRIBUTES; i++) {
        struct slice attr = req->attr[i];
        if (attr.ptr == NULL)
            continue;
        require(attr.ptr >= in.ptr && attr.ptr + attr.len <= in.ptr + used);
        require(slice_find(attr, '\n') == SIZE_MAX && slice_find(attr, '\0') == SIZE_MAX);
    }
    require(req->stage != 0 && (req->stage & (req->stage - 1)) == 0);
    require(policy_request_hash(req, false) == policy_request_hash(req, false));
    policy_request_digest(req, false, one);
    policy_request_digest(req, true, other);
    require(strlen(one) == 32 && strlen(other) == 32);
}

static void check_reply(struct slice action)
{
    AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX);

    require(policy_reply(&out, action) == 0);
    struct slice reply = buf_slice(&out);
    require(slice_starts_with(reply, SLICE("action=")) && slice_ends_with(reply, SLICE("\n\n")));
    reply = slice_part(reply, 7, reply.len - 9);
    bool has_other = false;
    for (size_t i = 0; i < reply.len; i++) {
        require(ascii_is_print(reply.ptr[i]));
        has_other = has_other || !(ascii_is_digit(reply.ptr[i]) || reply.ptr[i] == ' ');
    }
    require(has_other && !slice_equal_nocase(slice_part(reply, 0, 3), SLICE("OK ")));
    require(!slice_equal_nocase(reply, SLICE("OK")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = { (const char *)data, size };
    struct policy_request req, again;
    size_t used, used_again;

    enum proto_result got = policy_parse(in, &req, &used);
    if (got == PROTO_DONE) {
        check_request(&req, in, used);
        require(policy_parse(slice_part(in, 0, used), &again, &used_again) == PROTO_DONE);
        require(used_again == used);
        require(policy_parse(slice_part(in, 0, used - 1), &again, &used_again) == PROTO_MORE);
    }
    if (got == PROTO_MORE)
        for (size_t i = 0; i < size; i += 1 + size / 16)
            require(policy_parse(slice_part(in, 0, i), &again, &used_again) == PROTO_MORE);
    check_reply(in);
    return 0;
}
