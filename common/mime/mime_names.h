/* common/mime/mime_names.h - under which file names readers may show a part. Where a field has several, or in several forms, or
 * stands there twice, some take the first, others the last or the one of RFC 2231: all are told. */
#ifndef GATEHOUSE_MIME_MIME_NAMES_H
#define GATEHOUSE_MIME_MIME_NAMES_H

#include "common/mime/mime_decode.h"

struct mime_names {
    struct slice names[MIME_NAMES_MAX]; /* decoded; each once */
    size_t count;
    bool has_more;
};

/* Adds those of one Content-Disposition or Content-Type field. False: memory is out. Texts are in `arena`. */
bool mime_names_add(struct mime_names *names, struct arena *arena, struct slice field);

#endif
