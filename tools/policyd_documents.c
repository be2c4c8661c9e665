/* tools/policyd_documents.c - what is made from policyd's tables for people to read: the sample configuration and the
 * manual pages. Used by `make samples` and `make man`.
 *
 *     policyd_documents sample|conf-page|daemon-page   prints it */
#include "policyd/manual.h"

#define DOCUMENT_MAX ((size_t)1 << 20)

int main(int argc, char **argv)
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
        if (documents[i].print(&policyd_program, &out))
            return 1;
        return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? 0 : 1;
    }
    fputs("usage: policyd_documents sample|conf-page|daemon-page\n", stderr);
    return 64;
}
