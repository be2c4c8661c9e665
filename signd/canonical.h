/* signd/canonical.h - canonicalization of header fields and bodies (RFC 6376 section 3.4). Pure: bytes in, bytes out.
 *
 * Line ends are CRLF; a bare LF counts as one (the MTA sends it as CRLF). A bare CR is a byte like any other, as the RFC
 * has it; since verifiers disagree about it under `relaxed`, body_canon_has_bare_cr() lets the signer choose `simple`. */
#ifndef GATEHOUSE_SIGND_CANONICAL_H
#define GATEHOUSE_SIGND_CANONICAL_H

#include "common/base/buf.h"

/* In the order of the words of the parameter. */
enum canonicalization { CANONICAL_SIMPLE, CANONICAL_RELAXED };

/* Takes the next bytes of what is to be hashed. */
typedef void canonical_sink(void *arg, const void *bytes, size_t len);

enum { CANONICAL_CHUNK = 4096 };

/* A body under way: given piece by piece, cut anywhere. */
struct body_canon {
    enum canonicalization mode;
    canonical_sink *sink;
    void *arg;
    uint64_t blank_lines; /* held back: they count only if something follows */
    bool in_line; /* something of this line has been let through */
    bool space; /* relaxed: white space held back */
    bool cr; /* a CR held back: perhaps the first half of a line end */
    bool is_empty; /* nothing has been let through yet */
    bool has_bare_cr;
    bool cr_alone; /* this line is nothing but CR so far */
    bool has_cr_line; /* a whole line was */
    size_t len; /* of `chunk` */
    char chunk[CANONICAL_CHUNK];
};

void body_canon_start(struct body_canon *canon, enum canonicalization mode, canonical_sink *sink,
                      void *arg);
void body_canon_add(struct body_canon *canon, struct slice bytes);
/* The body has ended: the rest goes to the sink. */
void body_canon_finish(struct body_canon *canon);
bool body_canon_has_bare_cr(const struct body_canon *canon); /* after finish */
/* A line that is nothing but CR: empty for some verifiers, whatever the canonicalization. After finish. */
bool body_canon_has_cr_line(const struct body_canon *canon);

/* One header field: `name`, and `value`: all that stands after the colon, folds as LF or CRLF with the white space that
 * follows, without the field's own line end. With `ends_line` the CRLF of the field comes last (the DKIM-Signature field
 * being made has none). -1: the buffer is full. */
int header_canon(struct buf *out, enum canonicalization mode, struct slice name, struct slice value,
                 bool ends_line);

#endif
