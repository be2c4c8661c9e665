/* tests/fakes/sample_message.h - messages for tests, made of a few texts. */
#ifndef GATEHOUSE_TESTS_SAMPLE_MESSAGE_H
#define GATEHOUSE_TESTS_SAMPLE_MESSAGE_H

#include "common/milter/message.h"

struct sample_message {
    const char *address; /* of the client; NULL: not SMTP */
    const char *name, *helo; /* NULL: absent */
    const char *queue_id, *sasl_username;
    const char *sender;
    const char *recipients; /* separated by commas */
    const char *
        headers; /* "Name:value" and LF each; a line that begins with a blank belongs to the one before */
    const char *body;
    bool has_leading_space, is_partial; /* partial: the body is not whole yet */
};

/* The caller drops it with message_unref(). Ends the process when something fails. */
struct message *sample_message(const struct sample_message *sample);

#endif
