/* common/mail/reply.c - see reply.h. */
#include "common/mail/reply.h"

/* Takes the first word off *text when it consists of digits and dots, with at least one digit in front. */
static struct slice numeric_word(struct slice text)
{
    size_t len = 0;

    while (len < text.len && (ascii_is_digit(text.ptr[len]) || text.ptr[len] == '.'))
        len++;
    if (len == 0 || text.ptr[0] == '.' || (len < text.len && text.ptr[len] != ' '))
        return (struct slice){ NULL, 0 };
    return slice_part(text, 0, len);
}

static bool is_small_number(struct slice text)
{
    uint64_t value;

    return text.len <= 3 && slice_to_u64(text, &value) && (text.len == 1 || text.ptr[0] != '0');
}

bool reply_is_enhanced_code(struct slice text)
{
    struct slice class_digit, subject;

    return slice_cut(&text, '.', &class_digit) && slice_cut(&text, '.', &subject) &&
           class_digit.len == 1 && strchr("245", class_digit.ptr[0]) != NULL &&
           is_small_number(subject) && is_small_number(text);
}

static bool is_basic_code(struct slice word)
{
    return word.len == 3 && (word.ptr[0] == '4' || word.ptr[0] == '5') && word.ptr[1] <= '5' &&
           slice_find(word, '.') == SIZE_MAX;
}

static size_t dots_in(struct slice text)
{
    size_t dots = 0;

    for (size_t i = 0; i < text.len; i++)
        dots += text.ptr[i] == '.';
    return dots;
}

/* Reads the codes; *text is what follows them. */
static const char *codes_parse(struct slice *text, struct reply *reply)
{
    struct slice word = numeric_word(*text);

    if (word.len > 0 && dots_in(word) == 0) {
        if (!is_basic_code(word))
            return "a reply code is 4NN or 5NN";
        uint64_t code = 0;
        slice_to_u64(word, &code);
        reply->code = (unsigned)code;
        *text = slice_trim(slice_skip(*text, word.len));
        word = numeric_word(*text);
    }
    if (word.len > 0 && dots_in(word) == 2) {
        if (!reply_is_enhanced_code(word))
            return "an enhanced code is CLASS.SUBJECT.DETAIL, such as 5.7.1";
        reply->enhanced = word;
        *text = slice_trim(slice_skip(*text, word.len));
    }
    return NULL;
}

static const char *classes_check(const struct reply *reply, const char *classes)
{
    char basic = (char)('0' + reply->code / 100);
    bool has_enhanced = reply->enhanced.len > 0;

    if (reply->code != 0 && has_enhanced && basic != reply->enhanced.ptr[0])
        return "the codes disagree: one says temporary, the other permanent";
    if ((reply->code != 0 && strchr(classes, basic) == NULL) ||
        (has_enhanced && strchr(classes, reply->enhanced.ptr[0]) == NULL))
        return strcmp(classes, "4") == 0   ? "the code must be temporary here: 4NN, 4.Y.Z"
               : strcmp(classes, "5") == 0 ? "the code must be permanent here: 5NN, 5.Y.Z"
                                           : "the code must be 4NN or 5NN, 4.Y.Z or 5.Y.Z";
    return NULL;
}

bool reply_parse(struct slice text, const char *classes, struct reply *out, const char **error)
{
    struct reply reply = { .code = 0 };

    text = slice_trim(text);
    const char *wrong = codes_parse(&text, &reply);
    if (wrong == NULL)
        wrong = classes_check(&reply, classes);
    if (wrong != NULL) {
        *error = wrong;
        return false;
    }
    reply.text = text;
    *out = reply;
    return true;
}

int reply_escape(struct buf *out, struct slice text)
{
    struct slice fits = slice_part(text, 0, out->max > out->len ? out->max - out->len : 0);

    if (buf_reserve(out, fits.len))
        return -1;
    for (size_t i = 0; i < fits.len; i++)
        out->data[out->len + i] = ascii_is_print(fits.ptr[i]) ? fits.ptr[i] : '?';
    out->len += fits.len;
    return fits.len == text.len ? 0 : -1;
}
