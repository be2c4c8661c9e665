/* common/rules/report.h - where the compiler puts its mistakes: the reader's callback, with the rule and the text they
 * are in. Private to common/rules. */
#ifndef GATEHOUSE_RULES_REPORT_H
#define GATEHOUSE_RULES_REPORT_H

#include "common/base/suggest.h"
#include "common/rules/rules.h"

struct report {
    const struct rule_errors *errors; /* NULL: nobody listens */
    size_t rule; /* index of the source */
    enum rule_field field; /* the text that offsets refer to */
    bool failed; /* an error, not only a warning, was reported */
    bool no_memory;
};

void report_error(struct report *report, size_t offset, const char *format, ...) PRINTF_LIKE(3, 4);
void report_warning(struct report *report, size_t offset, const char *format, ...)
    PRINTF_LIKE(3, 4);
void report_no_memory(struct report *report);

/* For the end of an error's text: `; did you mean "NAME"?`, or nothing. */
struct hint {
    char text[96];
};
struct hint hint_of(const struct suggest *suggest);

#endif
