/* contentd/scanners/http_upload.h - a message as the body of a request of HTTP or ICAP: in chunks as it grows, or all at once
 * when it is whole. On the connection's thread. */
#ifndef GATEHOUSE_CONTENTD_HTTP_UPLOAD_H
#define GATEHOUSE_CONTENTD_HTTP_UPLOAD_H

#include "contentd/scanners/connection.h"

struct http_upload {
    uint64_t put; /* bytes of the message */
    bool is_ended; /* all of it, and the last chunk, are put */
};

/* Puts what there is of the message and was not put yet, as one chunk, and the last chunk when it is whole. */
void http_upload_chunk(struct http_upload *upload, struct connection *connection,
                       const struct message *message);

#endif
