/* policyd/spf/name.h - domain names as SPF has them: slices of labels between dots, without the final dot, of any case.
 * A label may hold any printable ASCII, blanks, `:` and `/` too (macros make such names): who asks the DNS has to escape
 * what means something in its notation. Pure. */
#ifndef GATEHOUSE_POLICYD_SPF_NAME_H
#define GATEHOUSE_POLICYD_SPF_NAME_H

#include "common/base/slice.h"

#define SPF_NAME_MAX 253 /* octets, RFC 7208 7.3 */
#define SPF_LABEL_MAX 63

struct slice spf_name_without_dot(struct slice name); /* without one final dot */

/* Can be asked for: labels of 1 to SPF_LABEL_MAX printable ASCII characters, SPF_NAME_MAX in all. */
bool spf_name_is_valid(struct slice name);
/* Has more than one label, and is no address literal: check_host() begins with such names only (RFC 7208 4.3). */
bool spf_name_is_checkable(struct slice name);
/* `name` is `domain` or lies below it, without regard to case. */
bool spf_name_is_within(struct slice name, struct slice domain);
/* The end of `name` that has at most SPF_NAME_MAX octets and begins after a dot; empty when there is none. `is_end`
 * says that `name` is itself only the end of a longer one. */
struct slice spf_name_cut(struct slice name, bool is_end);

#endif
