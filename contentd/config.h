/* contentd/config.h - contentd's parameters and sections, as read from contentd.conf. The tables in config.c are the whole
 * truth: checks, -d, -n, the sample file and the manual page come from them. */
#ifndef GATEHOUSE_CONTENTD_CONFIG_H
#define GATEHOUSE_CONTENTD_CONFIG_H

#include "common/config/common_params.h"
#include "common/message/direction.h"
#include "common/milter/params.h"
#include "common/policy/sections.h"
#include "common/policy/values.h"
#include "contentd/mixed.h"
#include "contentd/scan_sections.h"

struct contentd_config {
    struct common_config common;
    uint64_t message_budget; /* ms */
    struct milter_config milter;
    struct slice myhostname; /* absent: what the MTA calls itself */
    struct direction_config direction;
    bool remove_forged_headers;
    struct mailbox_settings mailboxes;
    enum mixed_mode mixed;
    struct slice release; /* inet:ADDRESS:PORT or unix:PATH; absent: nothing can be released */
    struct slice quarantine_directory, outbox_directory;
    uint64_t quarantine_size, outbox_size; /* bytes */
    uint64_t quarantine_age, outbox_age, outbox_retry_min, outbox_retry_max; /* ms */
    uint64_t outbox_connections;
    struct policy_sections sections;
    struct scan_sections scan;
};

extern const struct conf_schema contentd_schema;

#endif
