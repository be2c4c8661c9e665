/* signd/config.h - signd's parameters and sections, as read from signd.conf. The tables in config.c are the whole truth:
 * checks, -d, -n, the sample file and the manual page come from them. */
#ifndef GATEHOUSE_SIGND_CONFIG_H
#define GATEHOUSE_SIGND_CONFIG_H

#include "common/config/common_params.h"
#include "common/message/direction.h"
#include "common/milter/params.h"
#include "common/policy/resources.h"
#include "common/policy/sections.h"
#include "common/policy/values.h"
#include "signd/canonical.h"

/* [domain NAME]: what is different for one signing domain. */
struct domain_section {
    const struct conf_section *conf;
    enum canonicalization header_canonicalization, body_canonicalization;
    uint64_t signature_expiry; /* ms; 0: none */
};

/* What becomes of mail that is to be signed and has no From field, or several; in the order of the words. */
enum bad_from { BAD_FROM_REJECT, BAD_FROM_UNSIGNED };

struct signd_config {
    struct common_config common;
    struct dns_config dns;
    struct milter_config milter;
    struct direction_config direction;
    struct mailbox_settings mailboxes;
    /* signing */
    struct slice key_directory;
    struct slice key_state_file; /* absent: none */
    struct slice signing_map; /* name of a [map]; absent: none */
    struct slice default_signing_domain; /* absent: none */
    bool sign_subdomains;
    struct conf_list sign_headers, oversign_headers;
    enum canonicalization header_canonicalization, body_canonicalization;
    uint64_t signature_expiry; /* ms; 0: none */
    uint64_t smtp_line_length_limit; /* bytes; 0: the MTA cuts no line */
    enum bad_from bad_from;
    uint64_t key_check_interval, key_activate_after, key_retire_after, key_watch_interval; /* ms */
    /* verifying */
    struct slice authserv_id; /* absent: the host's name */
    uint64_t max_signatures;
    bool trust_received_spf;
    bool auth_results_of_logins;
    /* sections */
    struct policy_sections sections;
    const struct domain_section *domains;
    size_t domain_count;
};

extern const struct conf_schema signd_schema;

/* A domain as keys and assignments name it: A-labels, lower case; or nothing. */
bool config_check_domain(struct slice text, struct conf_complaint *out);

#endif
