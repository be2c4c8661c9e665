/* common/milter/edits_wire.c - see edits_wire.h. */
#include "common/milter/edits_wire.h"

/* What the MTA must have offered, and the packet. */
static const struct {
    uint32_t action;
    char packet;
} kinds[] = {
    [EDIT_ADD_HEADER] = { MILTER_MAY_ADD_HEADERS, MILTER_SAYS_ADD_HEADER },
    [EDIT_INSERT_HEADER] = { MILTER_MAY_ADD_HEADERS, MILTER_SAYS_INSERT_HEADER },
    [EDIT_CHANGE_HEADER] = { MILTER_MAY_CHANGE_HEADERS, MILTER_SAYS_CHANGE_HEADER },
    [EDIT_ADD_RECIPIENT] = { MILTER_MAY_ADD_RCPT, MILTER_SAYS_ADD_RCPT },
    [EDIT_REMOVE_RECIPIENT] = { MILTER_MAY_REMOVE_RCPT, MILTER_SAYS_REMOVE_RCPT },
    [EDIT_CHANGE_SENDER] = { MILTER_MAY_CHANGE_SENDER, MILTER_SAYS_CHANGE_SENDER },
    [EDIT_REPLACE_BODY] = { MILTER_MAY_CHANGE_BODY, MILTER_SAYS_BODY },
    [EDIT_HOLD] = { MILTER_MAY_QUARANTINE, MILTER_SAYS_QUARANTINE },
};

/* Name and value of a field. With MILTER_LEADING_SPACE the MTA puts nothing behind the colon; an empty value would remove
 * the field. */
static int put_header(const struct edit *edit, bool needs_blank, struct buf *out)
{
    struct slice value = edit->text;
    bool has_blank = value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t');

    if (edit->kind != EDIT_ADD_HEADER && milter_put_number(out, (uint32_t)edit->index))
        return -1;
    if (milter_put_text(out, edit->name))
        return -1;
    if (value.ptr != NULL && (needs_blank || value.len == 0) && !has_blank &&
        buf_put_char(out, ' '))
        return -1;
    return milter_put_text(out, value);
}

static int put_path(struct slice address, struct buf *out)
{
    if (slice_find(address, '\0') != SIZE_MAX)
        return -1;
    return buf_put_char(out, '<') || buf_add(out, address) || buf_put(out, ">") ||
                   buf_put_char(out, '\0')
               ? -1
               : 0;
}

/* In chunks; an empty one when there is nothing: the body becomes empty. */
static int put_body(struct slice body, struct buf *out)
{
    do {
        struct slice chunk = slice_part(body, 0, MILTER_DATA_MAX);
        if (milter_put_packet(out, MILTER_SAYS_BODY, chunk))
            return -1;
        body = slice_skip(body, chunk.len);
    } while (body.len > 0);
    return 0;
}

static int put_reason(struct slice reason, struct buf *out)
{
    size_t before = out->len;

    reply_escape(out, slice_part(reason, 0, REPLY_MAX));
    if (out->len == before && buf_put(out, "held"))
        return -1;
    return buf_put_char(out, '\0');
}

static int put_edit(const struct edit *edit, bool needs_blank, struct buf *out)
{
    AUTO_BUF data = BUF_INIT(MILTER_DATA_MAX);
    int rc = -1;

    switch (edit->kind) {
    case EDIT_ADD_HEADER:
    case EDIT_INSERT_HEADER:
    case EDIT_CHANGE_HEADER:
        rc = edit->index > INT32_MAX ? -1 : put_header(edit, needs_blank, &data);
        break;
    case EDIT_ADD_RECIPIENT:
    case EDIT_REMOVE_RECIPIENT:
    case EDIT_CHANGE_SENDER:
        rc = put_path(edit->text, &data);
        break;
    case EDIT_HOLD:
        rc = put_reason(edit->text, &data);
        break;
    case EDIT_REPLACE_BODY:
        return put_body(edit->text, out);
    }
    return rc ? -1 : milter_put_packet(out, kinds[edit->kind].packet, buf_slice(&data));
}

enum edits_result edits_print(const struct edits *edits, const struct negotiation *chosen,
                              struct buf *out, enum edit_kind *lacking)
{
    bool needs_blank = (chosen->steps & MILTER_LEADING_SPACE) != 0;
    size_t before = out->len;

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        if ((chosen->actions & kinds[edit->kind].action) == 0) {
            *lacking = edit->kind;
            return EDITS_NOT_ALLOWED;
        }
    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        if (put_edit(edit, needs_blank, out)) {
            out->len = before;
            return EDITS_TOO_LARGE;
        }
    return EDITS_OK;
}
