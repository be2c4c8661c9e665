/* tools/documents.h - what is made from a program's tables for people to read: the sample configuration and the manual pages.
 * Used by `make samples` and `make man`. */
#ifndef GATEHOUSE_TOOLS_DOCUMENTS_H
#define GATEHOUSE_TOOLS_DOCUMENTS_H

#include "common/config/usage.h"

#define DOCUMENT_MAX ((size_t)1 << 20)

/* `sample`, `conf-page` or `daemon-page`: prints it. The exit status. */
static inline int documents_main(const struct usage_program *program, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*print)(const struct usage_program *program, struct buf *out);
    } documents[] = {
        { "sample", usage_sample },
        { "conf-page", usage_conf_page },
        { "daemon-page", usage_daemon_page },
    };
    AUTO_BUF out = BUF_INIT(DOCUMENT_MAX);

    for (size_t i = 0; argc == 2 && i < COUNT(documents); i++) {
        if (strcmp(argv[1], documents[i].name) != 0)
            continue;
        if (documents[i].print(program, &out))
            return 1;
        return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
    }
    fputs("one of these is expected: sample conf-page daemon-page\n", stderr);
    return 64;
}

#endif
