/* common/message/giveback.c - see giveback.h. */
#include "common/message/giveback.h"

#include "common/observe/log.h"

enum { GIVEBACK_MEMORY_MAX = 65536 };

struct giveback {
    giveback_teller *teller;
    struct message *message; /* a reference */
    const char *by, *words;
};

static void giveback_free(struct giveback *giveback)
{
    message_unref(&giveback->message);
    free(giveback);
}

static void tell(struct worker *worker, void *arg)
{
    struct giveback *giveback = arg;
    struct arena *arena = arena_new(GIVEBACK_MEMORY_MAX);
    struct message_record record;

    if (arena != NULL) {
        message_record_locate(&record, giveback->message, arena);
        record_tell(giveback->teller(worker), &record, giveback->by, slice_of(giveback->words),
                    true);
    }
    arena_free(&arena);
    giveback_free(giveback);
}

static void never(UNUSED struct worker *worker, void *arg)
{
    giveback_free(arg);
}

void message_give_back(struct worker *worker, giveback_teller *teller, struct message *message,
                       const char *by, const char *words)
{
    struct giveback *giveback = malloc(sizeof *giveback);

    if (giveback != NULL) {
        *giveback = (struct giveback){ teller, message_ref(message), by, words };
        if (worker_post_or(worker, tell, never, giveback) == 0)
            return;
        giveback_free(giveback);
    }
    log_error("%.*s: out of memory: what policyd charged for the message is not given back",
              SLICE_ARG(message->queue_id));
}
