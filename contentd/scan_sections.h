/* contentd/scan_sections.h - the sections of contentd.conf that say who is scanned by what: [scanner NAME], [chain NAME],
 * [apply]. contentd's struct has a member `struct scan_sections scan`, and its table of kinds embeds SCAN_KINDS. */
#ifndef GATEHOUSE_CONTENTD_SCAN_SECTIONS_H
#define GATEHOUSE_CONTENTD_SCAN_SECTIONS_H

#include "common/config/param.h"
#include "contentd/chain.h"
#include "contentd/scanners/scanner.h"

/* The setting `antivirus`, in the order of the words: as the kind is, yes, no. */
enum scanner_antivirus { ANTIVIRUS_BY_KIND, ANTIVIRUS_YES, ANTIVIRUS_NO };

struct scanner_section {
    const struct conf_section *conf;
    struct slice kind; /* `clamd unix:/run/clamav/clamd.ctl, inet:...` */
    bool spread;
    uint64_t connect_timeout, scan_timeout; /* ms */
    uint64_t size_max; /* bytes; 0: any */
    enum scanner_trouble trouble, oversize;
    struct slice weight, path, user, password_file;
    enum scanner_antivirus antivirus;
};

enum chain_spam { CHAIN_SPAM_BY_SCORE, CHAIN_SPAM_BY_SCANNER }; /* in the order of the words */

struct chain_section {
    const struct conf_section *conf;
    struct conf_list scanners;
    struct slice virus, tag, quarantine, reject, reject_reply, subject_prefix;
    enum chain_spam spam;
    struct conf_list headers;
};

struct apply_section {
    const struct conf_section *conf;
    struct conf_pairs chains; /* mailbox, @domain or `*`, and the name of a chain */
};

struct scan_sections { /* in the order of the file */
    const struct scanner_section *scanners;
    size_t scanner_count;
    const struct chain_section *chains;
    size_t chain_count;
    const struct apply_section *apply; /* none or one */
    size_t apply_count;
};

enum { SCANNER_PARAM_COUNT = 12, CHAIN_PARAM_COUNT = 9, APPLY_PARAM_COUNT = 1 };
extern const struct conf_param scanner_params[SCANNER_PARAM_COUNT];
extern const struct conf_param chain_params[CHAIN_PARAM_COUNT];
extern const struct conf_param apply_params[APPLY_PARAM_COUNT];

/* The rows of the program's struct. */
/* clang-format off */
#define SCAN_KINDS                                                                                 \
    { "scanner", true, scanner_params, SCANNER_PARAM_COUNT,                                        \
      SECTIONS(struct scanner_section, scan.scanners, scan.scanner_count),                         \
      "A scanner. It is asked for messages to recipients whose chain names it.",                   \
      "[scanner clam]\nkind = clamd unix:/run/clamav/clamd.ctl\n" },                               \
    { "chain", true, chain_params, CHAIN_PARAM_COUNT,                                              \
      SECTIONS(struct chain_section, scan.chains, scan.chain_count),                               \
      "A chain: the scanners for some recipients, and what becomes of a message for what they find.", \
      "[chain full]\nscanners = clam, spam\nvirus = reject 5.7.1 Message contains malware\ntag = 6\nreject = 15\n" }, \
    { "apply", false, apply_params, APPLY_PARAM_COUNT,                                             \
      SECTIONS(struct apply_section, scan.apply, scan.apply_count),                                \
      "Which recipients have which chain. Entries in the store's gh:apply come on top.",           \
      "[apply]\n* = full\n@domain2.example = light\n" }
/* clang-format on */

#endif
