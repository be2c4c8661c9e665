/* common/milter/edits.c - see edits.h. */
#include "common/milter/edits.h"

#include "common/milter/message.h"

_Static_assert(EDITS_MAX > 2 * MESSAGE_RECIPIENTS_MAX + MESSAGE_HEADERS_MAX,
               "a message that is accepted can be edited");

enum { FOLD_COLUMN = 76 }; /* a name and what follows it is rarely longer than the two bytes left */

const char *const edit_kind_words[EDIT_KINDS] = {
    [EDIT_ADD_HEADER] = "add a header field",       [EDIT_INSERT_HEADER] = "insert a header field",
    [EDIT_CHANGE_HEADER] = "change a header field", [EDIT_ADD_RECIPIENT] = "add a recipient",
    [EDIT_REMOVE_RECIPIENT] = "remove a recipient", [EDIT_CHANGE_SENDER] = "change the sender",
    [EDIT_REPLACE_BODY] = "replace the body",       [EDIT_HOLD] = "hold the message",
};

void edits_init(struct edits *edits)
{
    *edits = (struct edits){ .last = &edits->first };
}

bool edits_add(struct edits *edits, struct arena *arena, const struct edit *edit)
{
    struct edit *own = edits->count == EDITS_MAX ? NULL : arena_alloc(arena, sizeof *own);

    if (own == NULL)
        return false;
    *own = *edit;
    own->name = arena_copy(arena, edit->name);
    own->text = arena_copy(arena, edit->text);
    own->next = NULL;
    if ((edit->name.ptr != NULL && own->name.ptr == NULL) ||
        (edit->text.ptr != NULL && own->text.ptr == NULL))
        return false;
    *edits->last = own;
    edits->last = &own->next;
    edits->count++;
    return true;
}

bool edit_equal(const struct edit *a, const struct edit *b)
{
    return a->kind == b->kind && a->index == b->index && slice_equal(a->name, b->name) &&
           slice_equal(a->text, b->text) && (a->text.ptr == NULL) == (b->text.ptr == NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Without NUL and CR, without other control bytes than tab, without line ends that fold nothing. */
static size_t clean(char *to, struct slice text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n') {
            bool folds =
                len > 0 && to[len - 1] != '\n' && i + 1 < text.len && is_blank(text.ptr[i + 1]);
            to[len] = folds ? '\n' : ' ';
            len += folds || (len > 0 && i + 1 < text.len);
        } else if (c == '\t' || (c >= 0x20 && c != 0x7f)) {
            to[len++] = (char)c;
        }
    }
    while (len > 0 && (is_blank(to[len - 1]) || to[len - 1] == '\n'))
        len--;
    return len;
}

/* Folds at the last blank before a line gets too long; a word that is longer stays whole. */
static size_t fold(char *to, const char *from, size_t from_len)
{
    size_t len = 0, line = 0, blank = SIZE_MAX;

    for (size_t i = 0; i < from_len; i++) {
        if (is_blank(from[i]) && line > 0)
            blank = len;
        to[len++] = from[i];
        line = from[i] == '\n' ? 0 : line + 1;
        if (line == 0)
            blank = SIZE_MAX;
        if (line <= FOLD_COLUMN || blank == SIZE_MAX)
            continue;
        memmove(to + blank + 1, to + blank, len - blank);
        to[blank] = '\n';
        len++;
        line = len - blank - 1;
        blank = SIZE_MAX;
    }
    return len;
}

struct slice header_value_make(struct arena *arena, struct slice text)
{
    /* Each blank may get a line end. */
    char *plain = arena_alloc(arena, text.len + 1);
    char *folded = arena_alloc_array(arena, 2, text.len + 1);

    if (plain == NULL || folded == NULL)
        return (struct slice){ NULL, 0 };
    size_t len = clean(plain, text);
    return (struct slice){ folded, fold(folded, plain, len) };
}
