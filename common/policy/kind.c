/* common/policy/kind.c - see kind.h. */
#include "common/policy/kind.h"

#include <stdlib.h>
#include <string.h>

bool policy_kind_copy(const struct policy_kind *kind, const void *data, void *parts)
{
    memcpy(parts, data, kind->parts_size);
    if (!policy_core_copy(data, parts))
        return false;
    kind->share(parts);
    return true;
}

void policy_kind_drop(const struct policy_kind *kind, void *parts)
{
    policy_core_free(parts);
    kind->drop(parts);
    memset(parts, 0, kind->parts_size);
}

void *policy_kind_make(const struct policy_kind *kind, void *parts,
                       const struct rule_hearers *hearers)
{
    void *data = calloc(1, kind->data_size);

    if (data == NULL) {
        policy_kind_drop(kind, parts);
        return NULL;
    }
    memcpy(data, parts, kind->parts_size);
    memset(parts, 0, kind->parts_size);
    if (kind->build(data, hearers))
        return data;
    policy_kind_free(kind, data);
    return NULL;
}

void policy_kind_free(const struct policy_kind *kind, void *data)
{
    if (data == NULL)
        return;
    kind->unbuild(data);
    policy_kind_drop(kind, data);
    free(data);
}

void *policy_kind_load(const struct policy_kind *kind, const struct daemon_load *load)
{
    void *parts = calloc(1, kind->parts_size), *data = NULL;

    if (parts != NULL && kind->load(parts, load))
        data = policy_kind_make(kind, parts, &(struct rule_hearers){ load->errors, true });
    else if (parts != NULL)
        policy_kind_drop(kind, parts);
    free(parts);
    if (data == NULL)
        conf_error(load->errors, (struct conf_pos){ load->conf->file, 0, 0 }, "out of memory");
    return data;
}

const struct rule_book *policy_kind_book(const struct policy_kind *kind, const void *data)
{
    return (const struct rule_book *)(const void *)((const char *)data + kind->book_offset);
}
