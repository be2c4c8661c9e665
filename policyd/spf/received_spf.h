/* policyd/spf/received_spf.h - how an SPF result is told: the Received-SPF header field (RFC 7208 9.1) and the reply codes
 * of RFC 7372. Pure. */
#ifndef GATEHOUSE_POLICYD_SPF_RECEIVED_SPF_H
#define GATEHOUSE_POLICYD_SPF_RECEIVED_SPF_H

#include "common/base/buf.h"
#include "policyd/spf/spf.h"

/* RFC 7372 3.2: an SPF fail; an error in the record; an error that may be gone the next time. */
#define SPF_REPLY_FAIL "550 5.7.23"
#define SPF_REPLY_PERMERROR "550 5.7.24"
#define SPF_REPLY_TEMPERROR "451 4.7.24"

/* Adds what follows "Received-SPF: ", one line of printable ASCII:
 *
 *   fail (domain of example.com does not designate 192.0.2.1 as permitted sender) client-ip=192.0.2.1; identity=mailfrom;
 *   envelope-from="a@example.com"; helo=mail.example.com; x-exp="Not from here"; mechanism="-all"; receiver=mx.example.net
 *
 * It never passes the buffer's ceiling: a pair that does not fit is left out as a whole, only the text of an explanation
 * (x-exp) or an error (problem) is shortened. -1: not even the result and its comment fit (SPF_COMMENT_MAX does). */
#define SPF_COMMENT_MAX 320
int spf_received_print(struct buf *out, const struct spf_query *query,
                       const struct spf_outcome *outcome);

#endif
