/* contentd/scanners/http_upload.h - a message as the body of a request of HTTP or ICAP: in chunks as it grows, or all at once
 * when it is whole. On the connection's thread. */
#ifndef GATEHOUSE_CONTENTD_HTTP_UPLOAD_H
#define GATEHOUSE_CONTENTD_HTTP_UPLOAD_H

#include "contentd/scanners/connection.h"

struct http_upload {
    uint64_t put; /* bytes of the message */
    bool is_ended; /* all of it, and the last chunk, are put */
};

/* Puts a chunk of what there is of the message and was not put yet; behind the end of a whole one the last chunk, too. To be
 * called until nothing is put: each time that all was sent. */
void http_upload_chunk(struct http_upload *upload, struct connection *connection,
                       const struct message *message);

#endif
