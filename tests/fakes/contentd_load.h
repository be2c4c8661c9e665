/* tests/fakes/contentd_load.h - a setup of contentd made of a text, as the daemon makes it of its file. */
#ifndef GATEHOUSE_FAKES_CONTENTD_LOAD_H
#define GATEHOUSE_FAKES_CONTENTD_LOAD_H

#include "contentd/setup.h"

struct contentd_loaded {
    struct arena *arena;
    struct conf *conf;
    struct contentd_config *config;
    struct setup *setup; /* owned */
    size_t error_count; /* without warnings */
    struct buf errors; /* all of them, warnings too, a line each */
};

/* Ends the test when memory is out. */
void contentd_load_text(struct contentd_loaded *loaded, const char *text);
void contentd_loaded_free(struct contentd_loaded *loaded);

/* The same as a snapshot, which the caller owns; ends the test when the text has mistakes. */
struct snapshot *contentd_snapshot_of(const char *text);

#endif
