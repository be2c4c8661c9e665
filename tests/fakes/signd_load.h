/* tests/fakes/signd_load.h - a setup of signd made of a text, as the daemon makes it of its file. */
#ifndef GATEHOUSE_FAKES_SIGND_LOAD_H
#define GATEHOUSE_FAKES_SIGND_LOAD_H

#include "signd/setup.h"

struct signd_loaded {
    struct arena *arena;
    struct conf *conf;
    struct signd_config *config;
    struct setup *setup; /* owned */
    size_t error_count; /* without warnings */
    struct buf errors; /* all of them, warnings too, a line each */
};

/* `previous` (NULL: none): what was in force. Ends the test when memory is out. */
void signd_load_text(struct signd_loaded *loaded, const char *text, const struct setup *previous);
void signd_loaded_free(struct signd_loaded *loaded);

#endif
