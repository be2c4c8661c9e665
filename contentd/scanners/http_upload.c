/* contentd/scanners/http_upload.c - see http_upload.h. */
#include "contentd/scanners/http_upload.h"

#include <inttypes.h>

enum { CHUNK_MAX = 1 << 20 }; /* servers need not know larger numbers */

void http_upload_chunk(struct http_upload *upload, struct connection *connection,
                       const struct message *message)
{
    bool is_whole = message_is_whole(message); /* asked first: the size is final then */
    uint64_t size = message_size(message);
    char line[24];

    if (upload->is_ended)
        return;
    uint64_t more = size - upload->put;
    if (more > 0) {
        more = more < CHUNK_MAX ? more : CHUNK_MAX;
        int len = snprintf(line, sizeof(line), "%" PRIx64 "\r\n", more);
        connection_put(connection, (struct slice){ line, (size_t)len });
        connection_put_message(connection, upload->put, more);
        connection_put(connection, SLICE("\r\n"));
        upload->put += more;
    }
    if (is_whole && upload->put == size) {
        connection_put(connection, SLICE("0\r\n\r\n"));
        upload->is_ended = true;
    }
}
