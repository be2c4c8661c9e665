/* common/mime/mime_walk.h - walks through the structure of a message body (RFC 2046): which parts there are, one inside the
 * other, and how large they are. One pass over bytes that come in pieces, no recursion, memory bounded by what is in the struct;
 * what header fields mean is asked of the caller. Pure. */
#ifndef GATEHOUSE_MIME_MIME_WALK_H
#define GATEHOUSE_MIME_MIME_WALK_H

#include "common/base/buf.h"
#include "common/mime/mime.h"

enum { MIME_BOUNDARY_MAX = 256 }; /* bytes; RFC 2046 allows 70 */

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };
enum mime_encoding { MIME_IDENTITY, MIME_QUOTED_PRINTABLE, MIME_BASE64 };

/* What a part's header says of its structure. */
struct mime_entity {
    enum mime_kind kind;
    /* Of a multipart it is against the rules, and none to most readers; to some it is, when no part is seen without decoding. */
    enum mime_encoding encoding;
    bool is_digest; /* a multipart whose parts are messages unless they say otherwise */
    char boundary[MIME_BOUNDARY_MAX]; /* of a multipart */
    size_t boundary_len; /* 0: it has none that can be used */
};

struct mime_visitor {
    /* A part's header has ended. `fields`: its Content-* fields as they are, line ends too; absent of them all: empty. Fills in
     * *out. false: memory is out, and the walk ends. */
    bool (*begin)(void *arg, struct slice fields, bool in_digest, struct mime_entity *out);
    /* A part has ended that is no multipart: its size, decoded. In the order of the ends. */
    void (*end)(void *arg, uint64_t size);
    /* A line of a leaf that begins with "begin ", when it is not base64. false: memory is out, and the walk ends. */
    bool (*uuencoded)(void *arg, struct slice line);
    void *arg;
};

struct mime_level {
    char boundary[MIME_BOUNDARY_MAX];
    size_t len;
    size_t messages; /* how many messages lie in one another since the level above */
    bool is_digest;
    bool is_unseen; /* encoded, and no part has been seen */
};

struct mime_walk {
    const struct mime_visitor *visitor;
    enum { WALK_HEADER, WALK_LEAF, WALK_BETWEEN, WALK_FAILED } where;
    struct mime_level levels[MIME_DEPTH_MAX];
    size_t level_count;
    bool has_closed; /* levels[level_count] has ended, and its boundary is still there */
    size_t messages; /* in one another, in the part under way */
    /* The line under way: its beginning, and what it adds to the leaf. */
    char line[MIME_BOUNDARY_MAX + 64];
    size_t line_kept;
    uint64_t line_len, line_units;
    /* The part's Content-* fields, and the header line under way from `line_at` on. */
    struct buf fields;
    size_t line_at;
    bool is_content_field, is_cut; /* the field under way; there was no room for all of the line */
    /* The leaf under way. */
    enum mime_encoding encoding;
    uint64_t units; /* bytes, or letters of base64, up to the line under way */
    unsigned line_end; /* bytes of the last line's end: it belongs to the boundary that follows */
    unsigned escape; /* quoted-printable: bytes of =XX still to come */
    bool is_soft; /* quoted-printable: the line's end is not part of it */
    char last; /* byte of the piece before */
    bool is_at_boundary; /* the leaf ends there, not with the message */
    /* What was found. */
    size_t parts, depth;
    bool is_broken, is_ambiguous, is_limited;
};

/* `walk` is large: not for a stack. Begins with the body of a message whose own header is `fields`. -1: memory is out. */
int mime_walk_init(struct mime_walk *walk, const struct mime_visitor *visitor, struct slice fields);
/* -1: the walk has ended: memory is out, or MIME_PARTS_MAX is passed (is_limited). */
int mime_walk_feed(struct mime_walk *walk, struct slice bytes);
void mime_walk_end(struct mime_walk *walk); /* no more bytes come; frees what it holds */

#endif
