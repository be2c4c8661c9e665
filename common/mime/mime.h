/* common/mime/mime.h - what rules can say about the content of a message: who it claims to be from, its subject, its
 * attachments. The structure is walked in one pass over the bytes, without recursion and with bounds (RFC 2045, 2046, 5322);
 * single header fields are decoded by GMime (RFC 2047, 2231, charsets to UTF-8). Its only user is this directory.
 *
 * CPU work: for a thread of the milter's, not for a worker's loop, unless mime_is_quick(). Read it only when rules name such facts. Any number of
 * threads, each with its own arena; mime_init() once before. Reads the body through message_read(), 64 KiB at a time; memory
 * is bounded by the arena and by MIME_*_MAX. */
#ifndef GATEHOUSE_MIME_MIME_H
#define GATEHOUSE_MIME_MIME_H

#include "common/base/arena.h"
#include "common/milter/message.h"

enum {
    MIME_DEPTH_MAX = 100, /* parts in parts */
    MIME_PARTS_MAX = 10000,
    /* Bytes of a part's header fields that are looked at together; more of them are passed over. */
    MIME_HEADER_MAX = 64 << 10,
    MIME_VALUE_MAX = 16 << 10, /* bytes of a field that is decoded */
    MIME_NAME_MAX = 1000, /* bytes of a decoded text */
    MIME_ADDRESSES_MAX = 1000, /* of a From: or Reply-To: field */
    MIME_FROM_DOMAINS_MAX = 10,
    MIME_NAMES_MAX = 4, /* of one part */
};

void mime_init(void); /* once, before other threads run */

/* Texts are UTF-8, absent when there is nothing; control characters become blanks. Mailboxes and domains are in their normal form
 * (address.h). */
struct mime_attachment {
    /* File names, decoded, without directories and without what Windows does not see at their ends: all that one or the other mail
     * program would show (mime_names.h). Absent: no more. */
    struct slice name[MIME_NAMES_MAX];
    struct slice extension
        [MIME_NAMES_MAX]; /* `exe`: what follows a name's last dot, lower case; absent: none */
    struct slice type; /* declared, lower case: `application/pdf` */
    uint64_t size; /* bytes, decoded */
    struct mime_attachment *next;
};

struct mime_facts {
    /* Header fields. */
    size_t from_count; /* From: fields and the mailboxes in them: 1 is as it should be */
    size_t from_field_count; /* From: fields */
    struct slice from, from_domain; /* the first mailbox */
    struct slice from_domains[MIME_FROM_DOMAINS_MAX]; /* of all mailboxes, each once */
    size_t from_domain_count;
    bool has_more_from_domains; /* than MIME_FROM_DOMAINS_MAX */
    struct slice
        from_name; /* its display name (or its group's), decoded; without a mailbox: what stands there instead */
    /* A mailbox in the display name that is not `from`: "service@bank.example" <x@evil.example>. */
    struct slice from_name_address;
    struct slice reply_to; /* the first mailbox */
    struct slice subject; /* decoded, in one line */
    struct slice message_id; /* without <> */
    uint64_t date_s; /* Unix seconds; 0: none that can be read */
    size_t received_count;

    /* Structure; only with MIME_STRUCTURE. */
    size_t part_count; /* leaves, and messages in the message */
    size_t depth; /* 0: not a multipart */
    /* In order: what has a name, is an attachment by its disposition, or no text. */
    struct mime_attachment *attachments;
    size_t attachment_count;
    /* Against the rules: an end that never comes, a boundary that is missing, a field twice, NUL bytes in the header ... */
    bool is_broken;
    /* Readers do not agree on what its parts are: several types, encodings or boundaries of one part, a boundary with more behind it,
     * bare CR or NUL in a part's header ... What some of them show is not seen here; counted. */
    bool is_ambiguous;
    /* A bound was passed, or a message in it is encoded (RFC 2046 5.2.1 forbids it): what lies there is not seen, and a rule may
     * refuse it; counted. */
    bool is_limited;
};

/* NULL; or why nobody can say who the author is (RFC 5322 3.6.2): a constant text, one line. */
const char *mime_author_problem(const struct mime_facts *facts);

enum { MIME_HEADERS = 1, MIME_STRUCTURE = 2, MIME_FROM = 4 /* of the header fields From: alone */ };

/* `wanted`: a set of the above. MIME_HEADERS and MIME_FROM need the header fields, MIME_STRUCTURE the whole message. What needs no memory is set
 * even then. -1: out of memory (`arena` full), or the body cannot be read: the facts are unknown then. An arena that is full with
 * attachments is a bound: is_limited. */
int mime_read(const struct message *message, unsigned wanted, struct arena *arena,
              struct mime_facts *out);
/* Header fields alone, and a header as messages have it: it is read within a fraction of a millisecond. */
bool mime_is_quick(const struct message *message, unsigned wanted);

#endif
