/* common/base/slice.h - a borrowed view of bytes: pointer and length, no terminator, never owned.
 * `ptr` NULL means absent; `ptr` set and `len` 0 means present and empty. All functions are pure. */
#ifndef GATEHOUSE_BASE_SLICE_H
#define GATEHOUSE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* Constant text, in an expression and in a static initialiser. */
#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_INIT(literal)                                                                        \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
/* Arguments for a printf "%.*s". */
#define SLICE_ARG(slice) (int)((slice).len > INT32_MAX ? INT32_MAX : (slice).len), (slice).ptr

/* Up to its NUL; absent for NULL. */
struct slice slice_of(const char *text);

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII letters only */
int slice_compare(struct slice a, struct slice b); /* as memcmp, shorter first */

/* The part of `text` from `from` on, at most `len` bytes; both are cut to what is there. */
struct slice slice_part(struct slice text, size_t from, size_t len);

struct slice slice_skip(struct slice text, size_t bytes);

bool slice_starts_with(struct slice text, struct slice prefix);

bool slice_ends_with(struct slice text, struct slice suffix);

/* Offset of the first (last) `c`; SIZE_MAX when there is none. */
static inline size_t slice_find(struct slice text, char c)
{
    const char *at = text.len == 0 ? NULL : memchr(text.ptr, c, text.len);

    return at == NULL ? SIZE_MAX : (size_t)(at - text.ptr);
}

size_t slice_rfind(struct slice text, char c);

/* Cuts *rest at the first `c`: *head is what is before it, *rest what is after. Without a `c` both stay and the
 * result is false. `head` and `rest` may not be the same object. */
bool slice_cut(struct slice *rest, char c, struct slice *head);

/* The next item of a list separated by `c`, without surrounding blanks; the last one needs no separator.
 * False when *rest is used up. Empty items are given too. */
bool slice_next(struct slice *rest, char c, struct slice *item);

struct slice slice_trim(struct slice text); /* blanks, tabs, CR and LF off both ends */

/* The whole of `text` as a decimal number without sign; false when it is empty, has other bytes or overflows. */
bool slice_to_u64(struct slice text, uint64_t *out);
/* The same with an optional sign and fraction ("-1.5"), no exponent, at most 15 digits. */
bool slice_to_double(struct slice text, double *out);

/* ---- bytes, without regard to the locale ---- */

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool ascii_is_alpha(char c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_alnum(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* Blank, tab, CR, LF. */
static inline bool ascii_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* 0x20 to 0x7e. */
static inline bool ascii_is_print(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

#endif
