/* common/dkim/record.c - see record.h. */
#include "common/dkim/record.h"

#include "common/dkim/tags.h"

int dkim_record_print(const struct dkim_key *key, struct buf *out)
{
    struct slice type = dkim_key_type_name(dkim_key_type(key));

    return buf_printf(out, "v=DKIM1; k=%.*s; p=", SLICE_ARG(type)) != 0
               ? -1
               : dkim_key_print_public(key, out);
}

bool dkim_record_parse(struct slice text, struct dkim_record *out, const char **error)
{
    struct dkim_tags tags;
    struct slice value;

    if (!dkim_tags_parse(text, &tags, error))
        return false;
    value = dkim_tag_value(&tags, "v");
    if (value.ptr != NULL &&
        (!slice_equal(value, SLICE("DKIM1")) || !slice_equal(tags.items[0].name, SLICE("v")))) {
        *error = "it does not begin with v=DKIM1";
        return false;
    }
    *out = (struct dkim_record){ .public_key = dkim_tag_value(&tags, "p") };
    if (out->public_key.ptr == NULL) {
        *error = "it has no p=, the public key";
        return false;
    }
    value = dkim_tag_value(&tags, "k");
    out->key_type = value.ptr == NULL ? SLICE("rsa") : value;
    value = dkim_tag_value(&tags, "t");
    out->is_testing = dkim_list_has(value, SLICE("y"));
    out->is_strict = dkim_list_has(value, SLICE("s"));
    value = dkim_tag_value(&tags, "s");
    out->is_for_email = value.ptr == NULL || dkim_list_has(value, SLICE("*")) ||
                        dkim_list_has(value, SLICE("email"));
    value = dkim_tag_value(&tags, "h");
    out->allows_sha256 = value.ptr == NULL || dkim_list_has(value, SLICE("sha256"));
    return true;
}

/* Base64 with white space in one of them. */
static bool same_key(struct slice published, struct slice wanted)
{
    size_t at = 0;

    for (size_t i = 0; i < published.len; i++) {
        if (ascii_is_space(published.ptr[i]))
            continue;
        if (at == wanted.len || published.ptr[i] != wanted.ptr[at])
            return false;
        at++;
    }
    return at == wanted.len;
}

const char *dkim_record_difference(const struct dkim_record *record, const struct dkim_key *key)
{
    AUTO_BUF wanted = BUF_INIT(DKIM_PEM_MAX);

    if (record->public_key.len == 0)
        return "the published key is revoked: its p= is empty";
    if (!slice_equal_nocase(record->key_type, dkim_key_type_name(dkim_key_type(key))))
        return dkim_key_type(key) == DKIM_RSA ? "the record says another k=; this is an RSA key"
                                              : "the record lacks k=ed25519; without it the key "
                                                "is taken for RSA";
    if (dkim_key_print_public(key, &wanted) != 0)
        return "out of memory";
    if (!same_key(record->public_key, buf_slice(&wanted))) {
        struct slice published = slice_trim(record->public_key);
        return published.len < wanted.len && slice_starts_with(buf_slice(&wanted), published)
                   ? "the published key is cut off; the record has to be split into strings of at "
                     "most 255 bytes"
                   : "the published key is another one";
    }
    if (!record->is_for_email)
        return "the record's s= excludes email";
    if (!record->allows_sha256)
        return "the record's h= excludes sha256";
    return NULL;
}
