/* common/rules/pattern.c - see pattern.h. Globs are translated by PCRE2 itself. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/rules/pattern.h"

#include <pcre2.h>
#include <pthread.h>

/* About a millisecond of matching at the very worst. */
enum { MATCH_STEPS = 20000, MATCH_DEPTH = 1000, MATCH_HEAP_KIB = 512 };

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits; /* read by matching, never written */
};

/* Where a thread notes its matches: kept, because the first match allocates working memory in it. */
static pthread_key_t notes_key;
static pthread_once_t notes_once = PTHREAD_ONCE_INIT;
static bool has_notes_key;

static void notes_free(void *notes)
{
    pcre2_match_data_free(notes);
}

static void notes_init(void)
{
    has_notes_key = pthread_key_create(&notes_key, notes_free) == 0;
}

static pcre2_match_data *notes_of_thread(void)
{
    pthread_once(&notes_once, notes_init);
    if (!has_notes_key)
        return NULL;
    pcre2_match_data *notes = pthread_getspecific(notes_key);
    if (notes != NULL)
        return notes;
    notes = pcre2_match_data_create(1, NULL);
    if (notes != NULL && pthread_setspecific(notes_key, notes) != 0) {
        pcre2_match_data_free(notes);
        return NULL;
    }
    return notes;
}

static bool failed(int code, char error[PATTERN_ERROR_MAX])
{
    if (pcre2_get_error_message(code, (PCRE2_UCHAR *)error, PATTERN_ERROR_MAX) ==
        PCRE2_ERROR_BADDATA)
        snprintf(error, PATTERN_ERROR_MAX, "the pattern is wrong");
    return false;
}

static bool compile(struct pattern *pattern, struct slice regex, uint32_t options,
                    char error[PATTERN_ERROR_MAX], size_t *offset)
{
    int code = 0;

    options |= PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    pattern->code = pcre2_compile((PCRE2_SPTR)regex.ptr, regex.len, options, &code, offset, NULL);
    return pattern->code != NULL || failed(code, error);
}

static bool compile_glob(struct pattern *pattern, struct slice glob, uint32_t options,
                         char error[PATTERN_ERROR_MAX], size_t *offset)
{
    PCRE2_UCHAR *regex = NULL;
    PCRE2_SIZE len = 0;
    int code = pcre2_pattern_convert(
        (PCRE2_SPTR)glob.ptr, glob.len,
        PCRE2_CONVERT_GLOB_NO_WILD_SEPARATOR | PCRE2_CONVERT_GLOB_NO_STARSTAR, &regex, &len, NULL);

    if (code != 0) {
        *offset =
            len < glob.len ? len : glob.len; /* the call leaves the place of the mistake here */
        return failed(code, error);
    }
    bool ok = compile(pattern, (struct slice){ (char *)regex, len }, options, error, offset);
    if (!ok)
        *offset = 0; /* it was one in the translation */
    pcre2_converted_pattern_free(regex);
    return ok;
}

/* `/regex/` or `/regex/i`; `text` begins with the slash. */
static bool compile_regex(struct pattern *pattern, struct slice text, uint32_t options,
                          char error[PATTERN_ERROR_MAX], size_t *offset)
{
    size_t end = slice_rfind(text, '/');
    struct slice flags = slice_skip(text, end + 1);

    if (end == 0 || (flags.len > 0 && !slice_equal(flags, SLICE("i")))) {
        snprintf(error, PATTERN_ERROR_MAX, "a regular expression is written /.../ or /.../i");
        *offset = end == 0 ? text.len : end + 1;
        return false;
    }
    if (flags.len > 0)
        options |= PCRE2_CASELESS;
    bool ok = compile(pattern, slice_part(text, 1, end - 1), options, error, offset);
    *offset += 1;
    return ok;
}

struct pattern *pattern_new(struct slice text, bool ignore_case, char error[PATTERN_ERROR_MAX],
                            size_t *offset)
{
    struct pattern *pattern = calloc(1, sizeof *pattern);
    uint32_t options = ignore_case ? PCRE2_CASELESS : 0;
    bool ok = false;

    *offset = 0;
    snprintf(error, PATTERN_ERROR_MAX, "out of memory");
    if (pattern == NULL)
        return NULL;
    if (text.len == 0 || text.len > PATTERN_MAX)
        snprintf(error, PATTERN_ERROR_MAX, "a pattern has 1 to %d bytes", PATTERN_MAX);
    else if (text.ptr[0] == '/')
        ok = compile_regex(pattern, text, options, error, offset);
    else
        ok = compile_glob(pattern, text, PCRE2_CASELESS, error, offset);
    if (ok)
        pattern->limits = pcre2_match_context_create(NULL);
    if (pattern->limits == NULL) {
        pattern_free(&pattern);
        return NULL;
    }
    pcre2_set_match_limit(pattern->limits, MATCH_STEPS);
    pcre2_set_depth_limit(pattern->limits, MATCH_DEPTH);
    pcre2_set_heap_limit(pattern->limits, MATCH_HEAP_KIB);
    return pattern;
}

void pattern_free(struct pattern **pattern)
{
    if (*pattern == NULL)
        return;
    pcre2_match_context_free((*pattern)->limits);
    pcre2_code_free((*pattern)->code);
    free(*pattern);
    *pattern = NULL;
}

enum pattern_result pattern_match(const struct pattern *pattern, struct slice text)
{
    pcre2_match_data *notes = notes_of_thread();
    const char *bytes = text.ptr == NULL ? "" : text.ptr;

    if (notes == NULL)
        return PATTERN_GAVE_UP;
    int found =
        pcre2_match(pattern->code, (PCRE2_SPTR)bytes, text.len, 0, 0, notes, pattern->limits);
    if (found >= 0)
        return PATTERN_YES;
    return found == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_GAVE_UP;
}
