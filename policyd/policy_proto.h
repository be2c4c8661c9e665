/* policyd/policy_proto.h - Postfix's policy delegation protocol: bytes -> request, verdict -> bytes. No I/O.
 *
 * A request is `name=value` lines and an empty line; all attributes of Postfix 2.1 to 3.12 are known by name, others are
 * ignored, of a repeated one the first counts (https://www.postfix.org/SMTPD_POLICY_README.html). */
#ifndef GATEHOUSE_POLICYD_POLICY_PROTO_H
#define GATEHOUSE_POLICYD_POLICY_PROTO_H

#include "common/base/buf.h"
#include "common/rules/fact.h"

enum { POLICY_REQUEST_MAX = 65536, POLICY_ATTRIBUTES_MAX = 512, POLICY_REPLY_MAX = 1024 };

/* Every attribute Postfix sends, in the order in which it sends them. */
enum policy_attribute {
    ATTR_REQUEST,
    ATTR_PROTOCOL_STATE,
    ATTR_PROTOCOL_NAME,
    ATTR_CLIENT_ADDRESS,
    ATTR_CLIENT_NAME,
    ATTR_CLIENT_PORT,
    ATTR_REVERSE_CLIENT_NAME,
    ATTR_SERVER_ADDRESS,
    ATTR_SERVER_PORT,
    ATTR_HELO_NAME,
    ATTR_SENDER,
    ATTR_RECIPIENT,
    ATTR_RECIPIENT_COUNT,
    ATTR_QUEUE_ID,
    ATTR_INSTANCE,
    ATTR_SIZE,
    ATTR_ETRN_DOMAIN,
    ATTR_STRESS,
    ATTR_SASL_METHOD,
    ATTR_SASL_USERNAME,
    ATTR_SASL_SENDER,
    ATTR_CCERT_SUBJECT,
    ATTR_CCERT_ISSUER,
    ATTR_CCERT_FINGERPRINT,
    ATTR_CCERT_PUBKEY_FINGERPRINT,
    ATTR_ENCRYPTION_PROTOCOL,
    ATTR_ENCRYPTION_CIPHER,
    ATTR_ENCRYPTION_KEYSIZE,
    ATTR_POLICY_CONTEXT,
    ATTR_COMPATIBILITY_LEVEL,
    ATTR_MAIL_VERSION,
    POLICY_ATTRIBUTES
};

/* A parsed request; all slices point into `raw`. An attribute that was not sent has ptr NULL. */
struct policy_request {
    struct slice raw; /* the whole request with its empty line */
    /* The line of policy_context within raw, or absent: policy_request_hash() leaves it out. */
    struct slice context;
    struct slice attr[POLICY_ATTRIBUTES];
    /* From protocol_state; at DATA and END-OF-MESSAGE also whether there is one recipient. */
    enum stage stage;
};

enum proto_result {
    PROTO_DONE, /* a whole request; *used bytes of the input belong to it */
    PROTO_MORE,
    PROTO_BAD, /* not the policy protocol, too large or too many attributes: close the connection */
};

/* Parses the first request in `in`. *req and *used are written only for PROTO_DONE. CR before LF is not part of a value
 * (a client on another system). */
enum proto_result policy_parse(struct slice in, struct policy_request *req, size_t *used);

/* The name of an attribute as Postfix spells it. */
const char *policy_attribute_name(enum policy_attribute attr);
bool policy_attribute_find(struct slice name, enum policy_attribute *out);

/* All attributes but policy_context (unless with_context): keyed, for this process only. */
uint64_t policy_request_hash(const struct policy_request *req, bool with_context);
/* The same across hosts: 32 hex digits and a NUL. */
void policy_request_digest(const struct policy_request *req, bool with_context, char out[33]);

/* Puts "action=" + `action` + two newlines. `action` is made safe first: one line of printable ASCII, never empty, never
 * digits alone, never OK; what cannot be sent becomes DUNNO. -1: the buffer is full. */
int policy_reply(struct buf *out, struct slice action);

#endif
