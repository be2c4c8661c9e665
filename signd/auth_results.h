/* signd/auth_results.h - the Authentication-Results field (RFC 8601): ours is written, foreign ones that claim to be ours
 * are known. Pure. */
#ifndef GATEHOUSE_SIGND_AUTH_RESULTS_H
#define GATEHOUSE_SIGND_AUTH_RESULTS_H

#include "common/base/buf.h"

/* Whether a field with this value would be taken for ours by somebody: its authserv-id is `authserv_id` in any case, in
 * quotes or not, with comments around or within it, with or without a version, folded, even when the rest is malformed. An id
 * with an encoded word (RFC 2047) in it counts as ours: nobody has one for good, and many readers decode it. */
bool auth_results_is_ours(struct slice value, struct slice authserv_id);

/* `ptype.name=value`: smtp.mailfrom, header.d. The value may be any bytes: what no field may hold is left out. */
struct auth_property {
    const char *ptype, *name;
    struct slice value; /* absent or empty: the property is left out */
};

enum {
    AUTH_PROPERTIES_MAX = 5,
    AUTH_VALUE_MAX = 320, /* bytes of one value; longer ones are cut */
    AUTH_COMMENT_MAX = 120,
    /* Bytes of the field; results that do not fit any more are left out. */
    AUTH_FIELD_MAX = 32 << 10,
};

/* One result: `dkim=pass (2048-bit rsa key) header.d=example.com`. */
struct auth_result {
    const char *method; /* "spf", "dkim", "dmarc", "auth" */
    const char *result; /* "pass", "fail", "none", ... */
    struct slice comment; /* plain text; absent: none */
    struct auth_property properties[AUTH_PROPERTIES_MAX];
    size_t property_count;
};

/* The value of the field, folded with "\n" and a tab: a result on each line; "none" without any. 0, or -1: memory is
 * out, or results were left out; what is in `out` is well-formed then, too. */
int auth_results_print(struct buf *out, struct slice authserv_id, const struct auth_result *results,
                       size_t count);

#endif
