/* common/quarantine/kept.h - what is written down about a message that we keep: where it came from, its envelope, why it
 * is kept and for whom. As JSON in a file beside the message; everything that is needed to send it is in it, byte for
 * byte. Pure. */
#ifndef GATEHOUSE_QUARANTINE_KEPT_H
#define GATEHOUSE_QUARANTINE_KEPT_H

#include <jansson.h>

#include "common/base/arena.h"
#include "common/base/clock.h"

/* Names of kept messages: in the order of their times, not to be guessed, fit for file names and command lines: 20 letters
 * and digits, the first 10 the time in ms. */
enum {
    KEPT_ID_LEN = 20,
    KEPT_TEXT_MAX = 1000,
    KEPT_JSON_MAX = 16 << 20,
    KEPT_MEMORY_MAX = 64 << 20, /* of the arena for one description */
    KEPT_RECIPIENTS_MAX = 50000, /* as many as a message may have */
};
void kept_id_make(uint64_t wall_ms, char out[KEPT_ID_LEN + 1]);
bool kept_id_is_valid(struct slice id);
uint64_t kept_id_time_ms(struct slice id); /* of a valid one */

struct kept_recipient {
    struct slice address; /* without <> */
    struct slice arguments; /* ESMTP parameters with blanks between; empty: none */
};

struct kept_finding {
    struct slice scanner, result, text; /* text: the virus, the score, the error */
};

/* Texts live in an arena; those that describe the message are UTF-8, bounded by KEPT_TEXT_MAX. */
struct kept {
    char id[KEPT_ID_LEN + 1]; /* set when it is stored */
    uint64_t time_ms; /* wall clock; set when it is stored */
    uint64_t size; /* bytes of the message; set when it is stored */
    struct slice queue_id, client_address, client_name, helo_name, sasl_username;
    /* As for recipients; an empty sender is the null sender. */
    struct slice sender, sender_arguments;
    bool is_smtputf8;
    struct kept_recipient *recipients; /* it is kept for these */
    size_t recipient_count;
    struct slice reason; /* one line: "virus Eicar-Test", "rule executables" */
    struct slice reference; /* of the decision: gatectl why */
    struct slice subject, from, message_id; /* header fields, decoded */
    struct kept_finding *findings;
    size_t finding_count;
    /* What is wrong with its files (folder_read()); empty: nothing. Not written down. */
    struct slice damage;
    bool is_cut; /* the message is not all there: never to be sent */
};

/* A text for people: cut to KEPT_TEXT_MAX and copied into `arena`; absent stays absent. False: out of memory. */
bool kept_text(struct arena *arena, struct slice text, struct slice *out);

json_t *kept_to_json(const struct kept *kept); /* NULL: out of memory */
/* What kept_to_json() made; texts are copied into `arena`. False, with a constant text in *error: it is something else. */
bool kept_from_json(struct arena *arena, const json_t *json, struct kept *out, const char **error);
bool kept_parse(struct arena *arena, struct slice text, struct kept *out, const char **error);
/* The members of a damaged one that can be read; all others are empty. */
void kept_salvage(struct arena *arena, const json_t *json, struct kept *out);

#endif
