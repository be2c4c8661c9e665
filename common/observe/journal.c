/* common/observe/journal.c - see journal.h. */
#define SD_JOURNAL_SUPPRESS_LOCATION /* the place is always this file */
#include "common/observe/journal.h"

#include <syslog.h>
#include <systemd/sd-journal.h>

#include "common/base/buf.h"

enum { FIELDS_MAX = 32 };

/* The journal does not write through the pointer that struct iovec holds. */
static struct iovec to_iovec(struct slice bytes)
{
    union {
        const char *in;
        char *out;
    } ptr = { bytes.ptr };

    return (struct iovec){ ptr.out, bytes.len };
}

int journal_write(const char *identity, int priority, struct slice message, struct slice fields)
{
    AUTO_BUF text = BUF_INIT(message.len + sizeof "MESSAGE=");
    AUTO_BUF head = BUF_INIT(256);
    struct iovec entries[FIELDS_MAX];
    size_t count = 0;
    struct slice field, rest;

    if (buf_put(&text, "MESSAGE=") || buf_add(&text, message) ||
        buf_printf(&head, "PRIORITY=%d%cSYSLOG_FACILITY=%d%cSYSLOG_IDENTIFIER=%s%c", priority, 0,
                   LOG_FAC(LOG_MAIL), 0, identity, 0))
        return -1;
    entries[count++] = to_iovec(buf_slice(&text));
    for (rest = buf_slice(&head); slice_cut(&rest, '\0', &field);)
        entries[count++] = to_iovec(field);
    for (rest = fields; count < FIELDS_MAX && slice_cut(&rest, '\0', &field);)
        entries[count++] = to_iovec(field);
    return sd_journal_sendv(entries, (int)count) < 0 ? -1 : 0;
}
