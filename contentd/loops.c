/* contentd/loops.c - see loops.h. */
#include "contentd/loops.h"

#include "contentd/config.h"

static bool is_own(const struct contentd_config *config, struct slice address)
{
    const struct conf_listens *listen = &config->common.listen;

    for (size_t i = 0; i < listen->count; i++)
        if (slice_equal(listen->items[i].text, address))
            return true;
    return false;
}

/* `milter ADDRESS, ADDRESS ...` */
static void check_scanner(const struct daemon_load *load, const struct scanner_section *section)
{
    struct slice rest = section->kind, word;

    if (!slice_starts_with(rest, SLICE("milter ")))
        return;
    rest = slice_skip(rest, strlen("milter "));
    while (slice_next(&rest, ',', &word)) {
        word = slice_trim(word);
        if (is_own(load->config, word))
            conf_error(
                load->errors, conf_where(load->conf, word.ptr),
                "contentd itself listens there (listen): a message would be scanned without end");
    }
}

void loops_check(const struct daemon_load *load)
{
    const struct contentd_config *config = load->config;

    for (size_t i = 0; i < config->scan.scanner_count; i++)
        check_scanner(load, &config->scan.scanners[i]);
    if (config->release.len > 0 && is_own(config, config->release))
        conf_error(
            load->errors, conf_where(load->conf, config->release.ptr),
            "release: contentd itself listens there (listen); a listener of Postfix is meant");
    if (config->release.len > 0 &&
        slice_equal(config->outbox_directory, config->quarantine_directory))
        conf_error(load->errors, conf_where(load->conf, config->outbox_directory.ptr),
                   "outbox_directory: it is quarantine_directory, too; each needs its own");
}
