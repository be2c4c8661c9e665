/* common/mail/address.h - mailboxes and domains (RFC 5321, RFC 6531) as slices, and their one normal form:
 * ASCII letters in lower case, domains as A-labels (RFC 5890) without a final dot, local parts unquoted (as Postfix
 * passes them) and in Unicode's NFC. Pure but for the arena. Nothing here fails because of what the network sent. */
#ifndef GATEHOUSE_MAIL_ADDRESS_H
#define GATEHOUSE_MAIL_ADDRESS_H

#include "common/base/arena.h"

/* Octets, RFC 5321 4.5.3.1 */
#define ADDRESS_LOCAL_MAX 64
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX (ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX) /* bound of every normal form */
#define ADDRESS_PATH_MAX 254 /* a mailbox that fits into <> */

enum address_form {
    ADDRESS_NORMAL, /* *out is the normal form */
    ADDRESS_ODD, /* no such form (bad UTF-8, no IDNA domain, too long): *out is a lower-cased copy, cut to ADDRESS_MAX.
                    Of a long local part the end is cut, of a long domain the beginning: so its parents stay true */
    ADDRESS_NO_MEMORY, /* *out is not written */
};

/* A text that is normal already is returned as it is, not copied: *out then borrows from `text`, else from `arena`.
 * An absent text stays absent, an empty one (the null sender) stays empty; both are normal. */
enum address_form address_normalise_mailbox(struct slice text, struct arena *arena,
                                            struct slice *out);
enum address_form address_normalise_domain(struct slice text, struct arena *arena,
                                           struct slice *out);

/* Of a mailbox in normal form: what is before and after its last `@`. Without one all of it is the local part (a login,
 * "postmaster") and the domain is absent; the null sender has neither. */
struct slice address_local(struct slice mailbox);
struct slice address_domain(struct slice mailbox);

/* The local part without its extension: "bob" of "bob+news@example.com". `delimiters` are those of Postfix'
 * recipient_delimiter. One that stands first separates nothing. */
struct slice address_local_base(struct slice mailbox, struct slice delimiters);
/* The whole mailbox without its extension; the same slice when there is none. Absent: out of memory. */
struct slice address_strip_extension(struct slice mailbox, struct slice delimiters,
                                     struct arena *arena);

/* Goes from a domain to the one above it: "a.example.com", "example.com", "com", then false. Literals have none. */
bool address_parent_domain(struct slice *domain);

/* Of normal forms. A domain: letters, digits, hyphens and underscores in labels of 1 to 63, 253 in all, or an address
 * literal. A mailbox: a local part of 1 to 64 without control bytes, a domain, ADDRESS_PATH_MAX in all. */
bool address_is_valid_domain(struct slice domain);
bool address_is_valid_mailbox(struct slice mailbox);

/* Of a mailbox as a client wrote it: RFC 5321's 4.1.2, but for dots, which may be anywhere in the local part, and a domain, which
 * may be missing. False for what only RFC 822 knows (comments, blanks, groups, names, a backslash outside quotes) or
 * nobody: MTAs that take it make of it what they like, and it need not be what others see in it. */
bool address_is_plainly_written(struct slice mailbox);

#endif
