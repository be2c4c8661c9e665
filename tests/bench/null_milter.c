/* tests/bench/null_milter.c - a milter that does nothing: libmilter's own share of what a milter costs. Takes the body, since one
 * that looks at mail has to, and nothing else.
 *
 *     null_milter unix:PATH|inet:PORT@ADDRESS
 */
#include <stdio.h>
#include <sysexits.h>

#include <libmilter/mfapi.h>

static sfsistat body(UNUSED SMFICTX *ctx, UNUSED unsigned char *bytes, UNUSED size_t len)
{
    return SMFIS_CONTINUE;
}

static sfsistat end(UNUSED SMFICTX *ctx)
{
    return SMFIS_CONTINUE;
}

static sfsistat negotiate(UNUSED SMFICTX *ctx, unsigned long actions, unsigned long steps,
                          UNUSED unsigned long more, UNUSED unsigned long most,
                          unsigned long *wanted_actions, unsigned long *wanted_steps,
                          unsigned long *wanted_more, unsigned long *wanted_most)
{
    *wanted_actions = actions & SMFIF_ADDHDRS;
    *wanted_steps =
        steps & (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT | SMFIP_NOHDRS |
                 SMFIP_NOEOH | SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NR_BODY);
    *wanted_more = *wanted_most = 0;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    char name[] = "null_milter";
    struct smfiDesc description = { .xxfi_name = name,
                                    .xxfi_version = SMFI_VERSION,
                                    .xxfi_flags = SMFIF_ADDHDRS,
                                    .xxfi_body = body,
                                    .xxfi_eom = end,
                                    .xxfi_negotiate = negotiate };

    if (argc != 2) {
        fputs("usage: null_milter unix:PATH|inet:PORT@ADDRESS\n", stderr);
        return EX_USAGE;
    }
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS)
        return EX_UNAVAILABLE;
    return smfi_main() == MI_SUCCESS ? 0 : EX_UNAVAILABLE;
}
