/* common/dkim/tags.h - tag=value lists (RFC 6376 section 3.2), as DKIM-Signature fields, key records and DMARC records are.
 * Pure. */
#ifndef GATEHOUSE_DKIM_TAGS_H
#define GATEHOUSE_DKIM_TAGS_H

#include "common/base/slice.h"

struct dkim_tag {
    struct slice name; /* case counts */
    /* White space and folds at both ends are gone, those within stay; may be empty. */
    struct slice value;
};

enum { DKIM_TAGS_MAX = 64 };

struct dkim_tags {
    struct dkim_tag items[DKIM_TAGS_MAX];
    size_t count;
};

/* The whole list; slices borrow from `text`. False, with a constant text in *error: not a list of this form (a tag without
 * name or `=`, a byte that no tag has, one name twice, more than DKIM_TAGS_MAX). Such a list means nothing at all. */
bool dkim_tags_parse(struct slice text, struct dkim_tags *out, const char **error);

/* The value of a tag; absent: it is not there. */
struct slice dkim_tag_value(const struct dkim_tags *tags, const char *name);

/* Whether `word` is among the items of a list separated by `:`, in any case, white space around items not counting. */
bool dkim_list_has(struct slice list, struct slice word);

#endif
