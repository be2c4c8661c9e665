/* common/rules/report.c - see report.h. */
#include "common/rules/report.h"

#include <stdarg.h>

static void report_send(struct report *report, struct rule_error *error, const char *format,
                        va_list args) __attribute__((format(printf, 3, 0)));

static void report_send(struct report *report, struct rule_error *error, const char *format,
                        va_list args)
{
    if (report->errors == NULL)
        return;
    error->field = report->field;
    error->rule = report->rule;
    vsnprintf(error->text, sizeof error->text, format, args);
    report->errors->add(report->errors->arg, error);
}

void report_error(struct report *report, size_t offset, const char *format, ...)
{
    struct rule_error error = { .offset = offset };
    va_list args;

    report->failed = true;
    va_start(args, format);
    report_send(report, &error, format, args);
    va_end(args);
}

void report_warning(struct report *report, size_t offset, const char *format, ...)
{
    struct rule_error error = { .offset = offset, .is_warning = true };
    va_list args;

    va_start(args, format);
    report_send(report, &error, format, args);
    va_end(args);
}

void report_no_memory(struct report *report)
{
    report->failed = report->no_memory = true;
}

struct hint hint_of(const struct suggest *suggest)
{
    struct hint hint = { "" };

    if (suggest->name.ptr != NULL)
        snprintf(hint.text, sizeof hint.text, "; did you mean \"%.*s\"?", SLICE_ARG(suggest->name));
    return hint;
}
