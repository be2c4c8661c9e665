/* common/quarantine/salvage.c - see salvage.h. */
#include "common/quarantine/salvage.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/milter/message_text.h"
#include "common/quarantine/kept_message.h"

enum { HEAD_MAX = 256 << 10 }; /* of the message: what lies behind it is not looked at */

void salvage_description(struct arena *arena, struct slice text, struct kept *out)
{
    json_t *json = text.len == 0 ? NULL : json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);

    *out = (struct kept){ .size = 0 };
    kept_salvage(arena, json, out);
    json_decref(json);
}

static void take_over(struct slice *to, struct slice from)
{
    if (to->len == 0)
        *to = from;
}

static void read_header(struct arena *arena, struct slice head, struct kept *kept)
{
    struct message *message = message_new();
    struct kept found = { .size = 0 };

    if (message != NULL && message_add_text(message, &head) == MESSAGE_OK)
        kept_take_header(arena, message, &found);
    take_over(&kept->subject, found.subject);
    take_over(&kept->from, found.from);
    take_over(&kept->message_id, found.message_id);
    message_unref(&message);
}

void salvage_message(struct arena *arena, int directory, const char *name, struct kept *kept)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *head = malloc(HEAD_MAX);
    ssize_t got = fd < 0 || head == NULL ? -1 : pread(fd, head, HEAD_MAX, 0);

    if (got > 0)
        read_header(arena, (struct slice){ head, (size_t)got }, kept);
    free(head);
    if (fd >= 0)
        close(fd);
}
