/* signd/config.h - signd's parameters and sections, as read from signd.conf. The tables in config.c are the whole truth:
 * checks, -d, -n, the sample file and the manual page come from them. */
#ifndef GATEHOUSE_SIGND_CONFIG_H
#define GATEHOUSE_SIGND_CONFIG_H

#include "common/config/common_params.h"
#include "common/milter/milter.h"
#include "common/policy/resources.h"
#include "common/policy/sections.h"
#include "signd/canonical.h"

/* [domain NAME]: what is different for one signing domain. */
struct domain_section {
    const struct conf_section *conf;
    enum canonicalization header_canonicalization, body_canonicalization;
    uint64_t signature_expiry; /* ms; 0: none */
};

struct signd_config {
    struct common_config common;
    struct dns_config dns;
    /* the milter */
    uint64_t message_memory, message_size_max; /* bytes */
    struct slice spool_directory;
    uint64_t max_sessions; /* messages */
    uint64_t session_wait; /* ms */
    enum milter_overload overload;
    uint64_t idle_timeout; /* ms */
    /* which mail is which */
    struct conf_list internal_networks;
    struct conf_list outbound_ports;
    bool strip_extension;
    struct slice recipient_delimiter;
    /* signing */
    struct slice key_directory;
    struct slice signing_map; /* name of a [map]; absent: none */
    struct slice default_signing_domain; /* absent: none */
    bool sign_subdomains;
    struct conf_list sign_headers, oversign_headers;
    enum canonicalization header_canonicalization, body_canonicalization;
    uint64_t signature_expiry; /* ms; 0: none */
    uint64_t key_check_interval, key_activate_after, key_retire_after; /* ms */
    /* verifying */
    struct slice authserv_id; /* absent: the host's name */
    uint64_t max_signatures;
    /* sections */
    struct policy_sections sections;
    const struct domain_section *domains;
    size_t domain_count;
};

extern const struct conf_schema signd_schema;

#endif
