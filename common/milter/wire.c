/* common/milter/wire.c - see wire.h. Numbers are in network order. */
#include "common/milter/wire.h"

static uint32_t number_at(const char *ptr)
{
    const unsigned char *bytes = (const unsigned char *)ptr;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

enum wire_state milter_packet_read(struct slice in, struct milter_packet *packet, size_t *used)
{
    if (in.len < MILTER_PACKET_HEAD - 1)
        return WIRE_MORE;
    uint32_t length = number_at(in.ptr);
    if (length == 0 || length > MILTER_PACKET_MAX)
        return WIRE_BAD;
    if (in.len - (MILTER_PACKET_HEAD - 1) < length)
        return WIRE_MORE;
    packet->command = in.ptr[MILTER_PACKET_HEAD - 1];
    packet->data = slice_part(in, MILTER_PACKET_HEAD, length - 1);
    *used = MILTER_PACKET_HEAD - 1 + length;
    return WIRE_DONE;
}

bool milter_take_number(struct slice *data, uint32_t *out)
{
    if (data->len < 4)
        return false;
    *out = number_at(data->ptr);
    *data = slice_skip(*data, 4);
    return true;
}

bool milter_take_text(struct slice *data, struct slice *out)
{
    return slice_cut(data, '\0', out);
}

int milter_put_number(struct buf *out, uint32_t number)
{
    const char bytes[4] = { (char)(number >> 24), (char)(number >> 16), (char)(number >> 8),
                            (char)number };

    return buf_add(out, (struct slice){ bytes, sizeof(bytes) });
}

int milter_put_text(struct buf *out, struct slice text)
{
    if (slice_find(text, '\0') != SIZE_MAX || buf_reserve(out, text.len + 1))
        return -1;
    (void)buf_add(out, text); /* there is room */
    return buf_put_char(out, '\0');
}

int milter_put_head(struct buf *out, char command, size_t length)
{
    if (length > MILTER_DATA_MAX || buf_reserve(out, MILTER_PACKET_HEAD))
        return -1;
    (void)milter_put_number(out, (uint32_t)length + 1);
    return buf_put_char(out, command);
}

int milter_put_packet(struct buf *out, char command, struct slice data)
{
    size_t was = out->len;

    if (milter_put_head(out, command, data.len) == 0 && buf_add(out, data) == 0)
        return 0;
    out->len = was;
    return -1;
}
