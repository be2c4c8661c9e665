/* tests/fakes/any_conf.h - any bytes as a configuration file, for fuzz targets: what must hold of it whatever they are. */
#ifndef GATEHOUSE_FAKES_ANY_CONF_H
#define GATEHOUSE_FAKES_ANY_CONF_H

#include "common/run/daemon.h"

struct any_program {
    const struct conf_schema *schema;
    /* As in struct daemon_spec; NULL: the file is read, and nothing made of it. */
    void *(*load)(const struct daemon_load *load);
    void (*unload)(void *data);
};

/* Ends the process unless every slice lies in the document and has a place, every mistake prints, and what -n prints of a
 * file that can be read is read again without mistakes. The first line, if it begins with `-o`, is an override. Files of the
 * system that the text names are opened: text with /dev/, /proc/ or /sys/ in it is passed over. */
void any_conf_try(const struct any_program *program, struct slice text);

#endif
