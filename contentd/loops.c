/* contentd/loops.c - see loops.h. */
#include "contentd/loops.h"

#include "contentd/config.h"
#include "contentd/scan_values.h"
#include "contentd/scanners/backend.h"

static bool is_own(const struct contentd_config *config, struct slice address)
{
    const struct conf_listens *listen = &config->common.listen;

    for (size_t i = 0; i < listen->count; i++)
        if (slice_equal(listen->items[i].text, address))
            return true;
    return false;
}

static void check_scanner(const struct daemon_load *load, const struct scanner_section *section)
{
    const struct scanner_kind *kind;
    struct conf_complaint ignored;
    struct slice addresses, address;

    if (section->kind.ptr == NULL || !scan_parse_kind(section->kind, &kind, &addresses, &ignored) ||
        kind != &milter_kind)
        return;
    while (backend_next_address(&addresses, &address))
        if (is_own(load->config, address))
            conf_error(
                load->errors, conf_where(load->conf, address.ptr),
                "contentd itself listens there (listen): a message would be scanned without end");
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
