/* contentd/intake.c - see intake.h. */
#include "contentd/intake.h"

static struct milter_reply end(UNUSED struct milter_session *session, UNUSED struct edits *edits)
{
    return (struct milter_reply){ .action = MILTER_CONTINUE };
}

const struct milter_hooks intake_hooks = {
    .end = end,
};
