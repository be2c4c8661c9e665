/* common/milter/session_impl.h - what session.c (clients, answers) and session_message.c (messages) share. For them alone. */
#ifndef GATEHOUSE_MILTER_SESSION_IMPL_H
#define GATEHOUSE_MILTER_SESSION_IMPL_H

#include "common/milter/milter_private.h"

/* What follows a hook's answer. */
typedef enum milter_action session_then(struct milter_session *session,
                                        const struct milter_reply *reply);

struct milter_session {
    const struct milter_shared *shared;
    struct worker *worker;
    const struct session_link *link;
    void *carrier;
    void *state; /* the daemon's */
    struct arena *arena; /* of the client's texts */
    struct message_client client;
    struct message *message;
    bool has_leading_space;
    bool is_passed; /* the connection needs no looking at */
    bool is_known; /* `connect`'s time has come */
    bool is_ending; /* the hook `end` is under way */
    bool is_decided; /* the message has ended, its answer is on the way: */
    enum milter_action decided;
    bool is_sent_as_decided; /* unless an edit was not possible */
    struct milter_reply failure; /* what the message gets at the next chance; CONTINUE: nothing */

    /* while an answer is awaited: */
    session_then *then;
    milter_work *work; /* to be done on a thread; NULL: none */
    struct milter_reply answer;
    bool is_answered;
    struct milter_settings settings; /* in force when the message began */
    enum admission_result admitted;
};

/* `then`, now or when the answer is there. */
enum milter_action session_after(struct milter_session *session, struct milter_reply reply,
                                 session_then *then);

bool session_is_refusal(enum milter_action action);
/* The text of a refusal, with what is missing in it. */
void session_set_reply(struct milter_session *session, const struct milter_reply *reply);

/* The macro unless it is missing or empty: then what is there stays. */
void session_refresh(struct milter_session *session, struct arena *arena, const char *name,
                     struct slice *value);
void session_read_macros(struct milter_session *session); /* what concerns the client */

#endif
