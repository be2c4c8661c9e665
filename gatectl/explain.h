/* gatectl/explain.h - what is shown of an explanation. */
#ifndef GATEHOUSE_GATECTL_EXPLAIN_H
#define GATEHOUSE_GATECTL_EXPLAIN_H

#include <jansson.h>
#include <stdio.h>

/* A rule of a trace: what came of it, its condition, the facts it saw. */
void explain_print_rule(FILE *out, const json_t *rule);

/* contentd's and signd's answer: contentd/explain.h, signd/explain.h. */
void explain_print_message(FILE *out, const json_t *answer);

#endif
