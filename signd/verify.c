/* signd/verify.c - see verify.h.
 *
 * What libopendkim 2.11 does and is kept from doing here:
 * - one malformed DKIM-Signature field makes it refuse the message: claims.c keeps those away from it;
 * - it has room for 1024 bytes of a key record and cuts what is longer: it gets a record made anew of the tags it reads;
 * - a lookup that says "try again" gives a false bad signature: its lookup is never in doubt here;
 * - it takes a body byte by byte, twice as slowly as signd/canonical.h: it is given none, and the bodies' hashes are compared here
 *   (but those of a part of the body, l=);
 * - keys under 1024 bits it refuses by itself (DKIM_OPTS_MINKEYBITS); Ed25519 ones count as 256 for it. */
#include "signd/verify.h"

#include <stdlib.h>
#include <string.h>

#include <sys/types.h>

#include <dkim.h>

#include "common/dkim/key.h"
#include "common/dkim/record.h"
#include "signd/body_hashes.h"

/* What the library does not verify. */
enum {
    NOT_TAKEN = 1, /* these fields together, or one of them */
    NO_AUTHOR, /* without a From that has a mailbox, whoever has signed */
};

struct verifier {
    DKIM_LIB *library;
};

/* What the library is working on: its user context. */
struct work {
    struct dkim_claim **claims; /* those whose fields it was given, in this order */
    size_t count;
    const struct body_hashes *body; /* NULL: it is given the body, and judges that */
};

/* ---- keys ---- */

/* The claim that the library's signature is about. The pairs d=, s= may repeat; then so does the key. */
static struct dkim_claim *claim_of(const struct work *work, DKIM_SIGINFO *signature)
{
    struct slice domain = slice_of((const char *)dkim_sig_getdomain(signature));
    struct slice selector = slice_of((const char *)dkim_sig_getselector(signature));

    for (size_t i = 0; i < work->count; i++)
        if (slice_equal_nocase(work->claims[i]->domain, domain) &&
            slice_equal_nocase(work->claims[i]->selector, selector))
            return work->claims[i];
    return NULL;
}

/* A short record of what the library looks at. False: it does not fit, or is none. */
static bool put_record(const struct dkim_claim *claim, char *out, size_t room)
{
    struct dkim_record record;
    const char *error;
    AUTO_BUF text = BUF_INIT(room - 1);

    if (!dkim_record_parse(claim->key, &record, &error) || !record.is_for_email ||
        !record.allows_sha256 ||
        buf_printf(&text, "v=DKIM1; k=%.*s; t=%s%s%s; p=", SLICE_ARG(record.key_type),
                   record.is_testing ? "y" : "", record.is_testing && record.is_strict ? ":" : "",
                   record.is_strict ? "s" : "") != 0)
        return false;
    for (size_t i = 0; i < record.public_key.len; i++)
        if (!ascii_is_space(record.public_key.ptr[i]) &&
            buf_put_char(&text, record.public_key.ptr[i]) != 0)
            return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static DKIM_CBSTAT look_up_key(DKIM *dkim, DKIM_SIGINFO *signature, u_char *out, size_t room)
{
    const struct dkim_claim *claim = claim_of(dkim_get_user_context(dkim), signature);

    if (claim == NULL)
        return DKIM_CBSTAT_ERROR;
    return put_record(claim, (char *)out, room) ? DKIM_CBSTAT_CONTINUE : DKIM_CBSTAT_NOTFOUND;
}

/* ---- the library ---- */

struct verifier *verifier_new(void)
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC, bits = DKIM_RSA_BITS_MIN;

    if (verifier == NULL)
        return NULL;
    verifier->library = dkim_init(NULL, NULL);
    if (verifier->library == NULL) {
        free(verifier);
        return NULL;
    }
    dkim_options(verifier->library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof flags);
    dkim_options(verifier->library, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof bits);
    dkim_set_key_lookup(verifier->library, look_up_key);
    return verifier;
}

void verifier_free(struct verifier **verifier)
{
    if (*verifier == NULL)
        return;
    dkim_close((*verifier)->library);
    free(*verifier);
    *verifier = NULL;
}

/* ---- feeding it ---- */

/* Tabs before the colon as blanks: with one the library does not know the field by its name, and a second From would not be
 * one for it. */
static int put_label(struct buf *out, const struct message_header *field)
{
    int rc = buf_add(out, field->name);

    for (size_t i = 0; i < field->blanks && rc == 0; i++)
        rc = buf_put_char(out, ' ');
    return rc;
}

/* With CRLF at folds, as the library wants it. */
static int feed_field(DKIM *dkim, const struct message *message, const struct message_header *field)
{
    AUTO_BUF text = BUF_INIT(MESSAGE_HEADER_BYTES_MAX * 2);
    struct slice rest = field->value, line;

    if (put_label(&text, field) != 0 ||
        buf_put(&text, message->has_leading_space ? ":" : ": ") != 0)
        return -1;
    while (slice_cut(&rest, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (buf_add(&text, line) != 0 || buf_put(&text, "\r\n") != 0)
            return -1;
    }
    if (buf_add(&text, rest) != 0)
        return -1;
    /* A field that is none in the library's eyes cannot be signed either: it is left out. */
    dkim_header(dkim, (u_char *)text.data, text.len);
    return 0;
}

static bool is_given(const struct work *work, const struct message_header *field)
{
    if (!message_header_is(field, SLICE("DKIM-Signature")))
        return true;
    for (size_t i = 0; i < work->count; i++)
        if (work->claims[i]->field == field)
            return true;
    return false;
}

static int feed_head(DKIM *dkim, const struct message *message, const struct work *work)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (is_given(work, &message->headers[i]) &&
            feed_field(dkim, message, &message->headers[i]) != 0)
            return -1;
    switch (dkim_eoh(dkim)) {
    case DKIM_STAT_OK:
        return 0;
    case DKIM_STAT_SYNTAX: /* of From: those of the claims' fields are known to be good */
        return NO_AUTHOR;
    default:
        return NOT_TAKEN;
    }
}

/* Over SMTP every body ends with a line end; without it the library is at a loss. */
static int feed_line_end(DKIM *dkim, char last)
{
    char line_end[] = "\r\n";

    return last == '\n' || dkim_body(dkim, (u_char *)line_end, 2) == DKIM_STAT_OK ? 0 : -1;
}

struct feeding {
    DKIM *dkim;
    char last;
};

static int feed_piece(void *arg, struct slice piece)
{
    struct feeding *feeding = arg;

    feeding->last = piece.ptr[piece.len - 1];
    /* The library takes it as not const, and does not change it. */
    return dkim_body(feeding->dkim, (u_char *)(uintptr_t)piece.ptr, piece.len) == DKIM_STAT_OK ? 0
                                                                                               : -1;
}

static int feed_body(DKIM *dkim, const struct message *message)
{
    struct feeding feeding = { dkim, '\n' };
    int rc = body_read(message, feed_piece, &feeding);

    return rc == 0 ? feed_line_end(dkim, feeding.last) : rc;
}

/* ---- judging ---- */

static void set_result(struct dkim_claim *claim, enum dkim_result result, const char *comment)
{
    claim->result = result;
    claim->comment = comment;
}

static void take_error(struct dkim_claim *claim, DKIM_SIGERROR error)
{
    const char *text;

    switch (error) {
    case DKIM_SIGERROR_NOKEY:
    case DKIM_SIGERROR_DNSSYNTAX:
        set_result(claim, DKIM_PERMERROR, "the key's record is of no use");
        break;
    case DKIM_SIGERROR_KEYREVOKED:
        set_result(claim, DKIM_PERMERROR, "the key is revoked");
        break;
    case DKIM_SIGERROR_KEYTOOSMALL:
        set_result(claim, DKIM_POLICY, "the key is too short");
        break;
    case DKIM_SIGERROR_EXPIRED:
        set_result(claim, DKIM_FAIL, "signature expired");
        break;
    case DKIM_SIGERROR_BADSIG:
        set_result(claim, DKIM_FAIL, "signature verification failed");
        break;
    case DKIM_SIGERROR_SUBDOMAIN:
        set_result(claim, DKIM_PERMERROR, "the key is not for subdomains");
        break;
    default:
        text = dkim_sig_geterrorstr(error);
        set_result(claim, DKIM_PERMERROR, text == NULL ? "it cannot be verified" : text);
        break;
    }
}

/* Only asked when the signature is good. */
static bool is_body_good(const struct work *work, const struct dkim_claim *claim,
                         DKIM_SIGINFO *signature)
{
    return work->body == NULL ? dkim_sig_getbh(signature) == DKIM_SIGBH_MATCH
                              : body_hashes_fit(work->body, claim);
}

static void judge(DKIM *dkim, const struct work *work, struct dkim_claim *claim,
                  DKIM_SIGINFO *signature)
{
    unsigned flags, bits = 0;

    dkim_sig_process(dkim, signature); /* again for one that is done: nothing happens */
    flags = dkim_sig_getflags(signature);
    if (dkim_sig_getkeysize(signature, &bits) == DKIM_STAT_OK)
        claim->key_bits = bits;
    claim->is_testing = (flags & DKIM_SIGFLAG_TESTKEY) != 0;
    if ((flags & DKIM_SIGFLAG_PASSED) == 0 ||
        (work->body == NULL && dkim_sig_getbh(signature) == DKIM_SIGBH_UNTESTED))
        take_error(claim, dkim_sig_geterror(signature));
    else if (is_body_good(work, claim, signature))
        set_result(claim, DKIM_PASS, NULL);
    else
        set_result(claim, DKIM_FAIL, "body hash did not verify");
}

/* Its signatures are in the order in which it was given the fields. */
static int judge_all(DKIM *dkim, const struct work *work)
{
    DKIM_SIGINFO **signatures;
    int count = 0;

    dkim_eom(dkim, NULL); /* the result of the best one; each is asked below */
    if (dkim_getsiglist(dkim, &signatures, &count) != DKIM_STAT_OK || (size_t)count != work->count)
        return NOT_TAKEN;
    for (size_t i = 0; i < work->count; i++)
        judge(dkim, work, work->claims[i], signatures[i]);
    return 0;
}

/* 0; NOT_TAKEN, NO_AUTHOR; -1: out of memory, or the body cannot be read. */
static int verify(const struct verifier *verifier, const struct message *message,
                  const struct work *work)
{
    DKIM_STAT status;
    DKIM *dkim = dkim_verify(verifier->library, (const u_char *)"message", NULL, &status);
    int rc;

    if (dkim == NULL)
        return -1;
    dkim_set_user_context(dkim, (void *)(uintptr_t)work);
    rc = feed_head(dkim, message, work);
    if (rc == 0 && work->body == NULL)
        rc = feed_body(dkim, message);
    if (rc == 0)
        rc = judge_all(dkim, work);
    dkim_free(dkim);
    return rc;
}

/* Whether the library is to judge it; else its result is known. */
static bool is_to_verify(struct dkim_claim *claim)
{
    if (!claim->is_ready)
        return false;
    if (claim->key_state == CLAIM_KEY_NONE)
        set_result(claim, DKIM_PERMERROR, "no key");
    else if (claim->key_state != CLAIM_KEY_FOUND)
        set_result(claim, DKIM_TEMPERROR, "the key could not be looked up");
    return claim->key_state == CLAIM_KEY_FOUND;
}

/* One by one, so that what the library does not like hurts itself alone. */
static int verify_each(const struct verifier *verifier, const struct message *message,
                       const struct work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        struct work one = { work->claims + i, 1, work->body };
        int rc = verify(verifier, message, &one);
        if (rc < 0)
            return -1;
        if (rc == NOT_TAKEN)
            set_result(one.claims[0], DKIM_NEUTRAL, "the field cannot be read");
        /* RFC 8601 2.7.1: a required header field is absent, or as good as absent (RFC 6376 5.4). */
        if (rc == NO_AUTHOR)
            set_result(one.claims[0], DKIM_PERMERROR, "no From field with a mailbox");
    }
    return 0;
}

int verify_claims(const struct verifier *verifier, const struct message *message,
                  struct dkim_claim *claims, size_t count)
{
    struct body_hashes hashes;
    struct work work = { calloc(count + 1, sizeof *work.claims), 0, NULL };
    int rc = work.claims == NULL ? -1 : 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        if (is_to_verify(&claims[i]))
            work.claims[work.count++] = &claims[i];
    if (rc == 0 && work.count > 0 && body_hashes_suffice(work.claims, work.count, &hashes)) {
        rc = body_hashes_make(message, &hashes);
        work.body = &hashes;
    }
    if (rc == 0 && work.count > 0) {
        rc = verify(verifier, message, &work);
        if (rc > 0)
            rc = verify_each(verifier, message, &work);
    }
    for (size_t i = 0; i < count && rc < 0; i++)
        if (claims[i].is_ready)
            set_result(&claims[i], DKIM_TEMPERROR, "out of memory");
    free(work.claims);
    return rc;
}
