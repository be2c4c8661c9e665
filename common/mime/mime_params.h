/* common/mime/mime_params.h - the parameters of a Content-* field (RFC 2045 5.1) as the most tolerant reader would find them: any word
 * that `=` follows, whatever stands before and between. Pure. */
#ifndef GATEHOUSE_MIME_MIME_PARAMS_H
#define GATEHOUSE_MIME_MIME_PARAMS_H

#include "common/base/slice.h"

struct mime_param {
    struct slice name; /* as it stands: `filename*0*` */
    struct slice base; /* `filename` */
    struct slice value; /* as it stands, without the quotes around it */
    struct slice whole; /* with them */
    struct slice tail; /* all up to the next `;` */
    /* Readers differ on where the value ends: its quotes never do, or something follows them. */
    bool is_odd;
};

/* Takes the next one off *rest; false: there is none. */
bool mime_param_next(struct slice *rest, struct mime_param *out);
bool mime_param_is(const struct mime_param *param, const char *base); /* in any case */
bool mime_param_is_extended(const struct mime_param *param); /* in the form of RFC 2231 */

#endif
