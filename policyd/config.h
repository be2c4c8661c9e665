/* policyd/config.h - policyd's parameters and sections, as read from policyd.conf. The tables in config.c are the whole
 * truth: checks, -d, -n, the sample file and the manual page come from them. */
#ifndef GATEHOUSE_POLICYD_CONFIG_H
#define GATEHOUSE_POLICYD_CONFIG_H

#include "common/config/common_params.h"
#include "common/policy/resources.h"
#include "common/policy/sections.h"
#include "common/policy/values.h"

struct limit_section {
    const struct conf_section *conf;
    struct slice key, count, rate, charge, over;
    struct conf_pairs rate_user, rate_domain, rate_class;
};

/* In the order of the words. */
enum dnsbl_kind { DNSBL_ADDRESS, DNSBL_SENDER_DOMAIN, DNSBL_HELO, DNSBL_REVERSE_NAME };

struct dnsbl_section {
    const struct conf_section *conf;
    struct slice zone;
    struct conf_list replies;
    enum dnsbl_kind kind;
    bool self_test;
};

struct classes_section {
    const struct conf_section *conf;
    struct conf_pairs members;
};

struct policyd_config {
    struct common_config common;
    struct slice geoip_database; /* absent: none */
    struct mailbox_settings mailboxes;
    bool greylist_by_spf;
    bool transaction_records;
    uint64_t greylist_window, greylist_expiry, greylist_allow_expiry; /* ms */
    uint64_t greylist_allow_after; /* triplets; 0: never */
    struct slice myhostname, spf_explanation;
    struct dns_config dns;
    uint64_t dnsbl_retry; /* ms */
    uint64_t idle_timeout, request_timeout; /* ms */
    struct policy_sections sections;
    const struct limit_section *limits;
    size_t limit_count;
    const struct dnsbl_section *dnsbls;
    size_t dnsbl_count;
    const struct classes_section *classes; /* none or one */
    size_t classes_count;
};

extern const struct conf_schema policyd_schema;

#endif
