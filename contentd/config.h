/* contentd/config.h - contentd's parameters and sections, as read from contentd.conf. The tables in config.c are the whole
 * truth: checks, -d, -n, the sample file and the manual page come from them. */
#ifndef GATEHOUSE_CONTENTD_CONFIG_H
#define GATEHOUSE_CONTENTD_CONFIG_H

#include "common/config/common_params.h"
#include "common/milter/milter.h"

struct contentd_config {
    struct common_config common;
    uint64_t message_budget; /* ms */
    uint64_t message_memory, message_size_max; /* bytes */
    struct slice spool_directory;
    uint64_t max_sessions; /* messages */
    uint64_t session_wait; /* ms */
    enum milter_overload overload;
    uint64_t idle_timeout; /* ms */
};

extern const struct conf_schema contentd_schema;

#endif
