/* common/milter/params.c - see params.h. */
#include "common/milter/params.h"

const char *const milter_overload_words[] = { "tempfail", "accept", NULL };

struct milter_settings milter_settings_of(const struct milter_config *config,
                                          size_t descriptors_each)
{
    return (struct milter_settings){
        .spool_directory = config->spool_directory,
        .message_memory = (size_t)config->message_memory,
        .message_size_max = config->message_size_max,
        .max_sessions = (size_t)config->max_sessions,
        .session_wait_ms = config->session_wait,
        .overload = config->overload,
        .descriptors_each = descriptors_each,
    };
}

struct spool_bounds milter_spool_bounds(const struct milter_config *config)
{
    return (struct spool_bounds){ config->spool_directory.ptr, (size_t)config->message_memory,
                                  config->message_size_max };
}
