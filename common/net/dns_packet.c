/* common/net/dns_packet.c - see dns_packet.h. A reader steps through the packet; once it would leave it, or what it reads
 * makes no sense, it is bad and stays so, and all it gives is zero: so only the end has to ask. Names are compared as
 * wire_name, without compression and in lower case, and become text only where they are part of the answer. */
#include "common/net/dns_packet.h"

enum { HEADER_SIZE = 12, RECORD_MIN = 11, WIRE_NAME_MAX = 255, POINTER = 0xc0 };
enum { TYPE_CNAME = 5, TYPE_SOA = 6, CLASS_IN = 1 };
enum { FLAG_TRUNCATED = 0x0200, RCODE_MASK = 0x000f, RCODE_NXDOMAIN = 3 };

struct wire_name {
    unsigned char bytes[WIRE_NAME_MAX];
    size_t len;
};

struct reader {
    const unsigned char *bytes;
    size_t len, at;
    bool is_bad;
};

/* ---- stepping through bytes ---- */

static bool reader_has(struct reader *reader, size_t bytes)
{
    if (reader->is_bad || bytes > reader->len - reader->at)
        reader->is_bad = true;
    return !reader->is_bad;
}

static unsigned read_u8(struct reader *reader)
{
    return reader_has(reader, 1) ? reader->bytes[reader->at++] : 0;
}

static uint16_t read_u16(struct reader *reader)
{
    unsigned high = read_u8(reader);

    return (uint16_t)(high << 8 | read_u8(reader));
}

static uint32_t read_u32(struct reader *reader)
{
    uint32_t high = read_u16(reader);

    return high << 16 | read_u16(reader);
}

static const unsigned char *read_bytes(struct reader *reader, size_t len)
{
    if (!reader_has(reader, len))
        return NULL;
    reader->at += len;
    return reader->bytes + reader->at - len;
}

static bool name_add_label(struct wire_name *name, const unsigned char *label, size_t len)
{
    if (len + 1 > WIRE_NAME_MAX - name->len)
        return false;
    name->bytes[name->len++] = (unsigned char)len;
    for (size_t i = 0; i < len; i++)
        name->bytes[name->len++] = (unsigned char)ascii_lower((char)label[i]);
    return true;
}

/* RFC 1035 4.1.4. Each pointer must lead to before the part of the name that holds it: so there is an end. */
static void read_name(struct reader *reader, struct wire_name *name)
{
    struct reader part = *reader;
    size_t part_start = reader->at, resume = SIZE_MAX;

    name->len = 0;
    for (;;) {
        unsigned len = read_u8(&part);
        if (len == 0)
            break; /* the root; or the reader is bad */
        if ((len & POINTER) == POINTER) {
            size_t target = (len & ~(unsigned)POINTER) << 8;
            target |= read_u8(&part);
            if (resume == SIZE_MAX)
                resume = part.at;
            part.is_bad = part.is_bad || target >= part_start;
            part.at = part_start = target;
        } else {
            const unsigned char *label = len > DNS_LABEL_MAX ? NULL : read_bytes(&part, len);
            part.is_bad = label == NULL || !name_add_label(name, label, len);
        }
        if (part.is_bad)
            break;
    }
    reader->is_bad = part.is_bad || !name_add_label(name, NULL, 0);
    reader->at = resume == SIZE_MAX ? part.at : resume;
}

static bool name_equal(const struct wire_name *a, const struct wire_name *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* ---- names as text ---- */

static size_t put_escaped(char *out, unsigned char byte)
{
    out[0] = '\\';
    out[1] = (char)('0' + byte / 100);
    out[2] = (char)('0' + byte / 10 % 10);
    out[3] = (char)('0' + byte % 10);
    return 4;
}

/* Absent: out of memory. */
static struct slice name_text(const struct wire_name *name, struct arena *arena)
{
    char text[DNS_NAME_TEXT_MAX];
    size_t len = 0;

    for (size_t at = 0; at < name->len && name->bytes[at] > 0; at += 1u + name->bytes[at]) {
        if (at > 0)
            text[len++] = '.';
        for (size_t i = at + 1; i <= at + name->bytes[at]; i++) {
            unsigned char byte = name->bytes[i];
            if (byte == '.' || byte == '\\' || byte == ' ' || !ascii_is_print((char)byte))
                len += put_escaped(text + len, byte);
            else
                text[len++] = (char)byte;
        }
    }
    return arena_copy(arena, (struct slice){ text, len });
}

static struct slice without_final_dot(struct slice name)
{
    if (name.len > 0 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

bool dns_name_is_valid(struct slice name)
{
    struct slice rest = without_final_dot(name), label;

    if (rest.len == 0)
        return name.len <= 1; /* the root: "" or "." */
    if (rest.len > DNS_NAME_MAX)
        return false;
    while (slice_cut(&rest, '.', &label))
        if (label.len == 0 || label.len > DNS_LABEL_MAX)
            return false;
    return rest.len > 0 && rest.len <= DNS_LABEL_MAX;
}

size_t dns_name_escape(struct slice name, char out[DNS_NAME_TEXT_MAX + 1])
{
    size_t len = 0;

    name = without_final_dot(name);
    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.ptr[i]);
        if (ascii_is_alnum(c) || c == '-' || c == '_' || c == '.')
            out[len++] = c;
        else
            len += put_escaped(out + len, (unsigned char)c);
    }
    out[len] = '\0';
    return len;
}

static size_t put_nibbles(const struct ip_address *address, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = sizeof address->bytes; i-- > 0;) {
        out[len++] = digits[address->bytes[i] & 15];
        out[len++] = '.';
        out[len++] = digits[address->bytes[i] >> 4];
        out[len++] = '.';
    }
    return len - 1;
}

size_t dns_reverse_name(const struct ip_address *address, struct slice zone,
                        char out[DNS_NAME_MAX + 1])
{
    const unsigned char *bytes = address->bytes;
    int len;

    zone = without_final_dot(zone);
    if (ip_address_is_ipv4(address))
        len = snprintf(out, DNS_NAME_MAX + 1, "%u.%u.%u.%u", bytes[15], bytes[14], bytes[13],
                       bytes[12]);
    else
        len = (int)put_nibbles(address, out);
    size_t used = (size_t)len;
    if (zone.len > 0) {
        if (zone.len > DNS_NAME_MAX - used - 1)
            return 0;
        out[used++] = '.';
        memcpy(out + used, zone.ptr, zone.len);
        used += zone.len;
    }
    out[used] = '\0';
    return used;
}

/* ---- the answer ---- */

struct parse {
    struct reader reader;
    enum dns_type type;
    struct arena *arena;
    struct dns_answer *out;
    struct dns_record *records; /* room for `room` */
    size_t room;
    struct wire_name chain[DNS_CHAIN_MAX + 1]; /* the name asked for, and where CNAMEs have led */
    size_t chain_len;
    bool no_memory;
};

struct resource { /* a record's head; its data follow in the reader */
    struct wire_name owner;
    uint16_t type, class;
    uint32_t ttl_s;
    size_t end; /* of its data, in the packet */
};

static void read_resource(struct reader *reader, struct resource *out)
{
    read_name(reader, &out->owner);
    out->type = read_u16(reader);
    out->class = read_u16(reader);
    out->ttl_s = read_u32(reader);
    if (out->ttl_s > INT32_MAX)
        out->ttl_s = 0; /* RFC 2181 8 */
    size_t len = read_u16(reader);
    out->end = reader_has(reader, len) ? reader->at + len : reader->at;
}

static void keep_ttl(struct parse *parse, uint32_t ttl_s)
{
    if (ttl_s < parse->out->ttl_s)
        parse->out->ttl_s = ttl_s;
}

static void follow_cname(struct parse *parse)
{
    struct wire_name *next;

    if (parse->chain_len > DNS_CHAIN_MAX) {
        parse->reader.is_bad = true;
        return;
    }
    next = &parse->chain[parse->chain_len];
    read_name(&parse->reader, next);
    for (size_t i = 0; i < parse->chain_len; i++)
        if (name_equal(&parse->chain[i], next))
            parse->reader.is_bad = true;
    parse->chain_len++;
}

static void read_address(struct parse *parse, struct dns_record *record)
{
    static const struct ip_address mapped = { .bytes = { [10] = 0xff, [11] = 0xff } };
    size_t len = parse->type == RR_A ? 4 : sizeof record->address.bytes;
    const unsigned char *bytes = read_bytes(&parse->reader, len);

    record->address = mapped;
    if (bytes != NULL)
        memcpy(record->address.bytes + sizeof record->address.bytes - len, bytes, len);
}

static void read_name_text(struct parse *parse, struct dns_record *record)
{
    struct wire_name name;

    read_name(&parse->reader, &name);
    if (parse->reader.is_bad)
        return;
    record->text = name_text(&name, parse->arena);
    parse->no_memory = parse->no_memory || record->text.ptr == NULL;
}

static void read_strings(struct parse *parse, size_t end, struct dns_record *record)
{
    struct reader *reader = &parse->reader;
    /* Each string's length byte makes room for the NUL. */
    char *text = arena_alloc(parse->arena, end - reader->at + 1);
    size_t len = 0;

    if (text == NULL) {
        parse->no_memory = true;
        return;
    }
    reader->is_bad = reader->at == end; /* at least one string */
    while (!reader->is_bad && reader->at < end) {
        size_t part = read_u8(reader);
        if (part > end - reader->at) {
            reader->is_bad = true;
            break;
        }
        memcpy(text + len, reader->bytes + reader->at, part);
        len += part;
        reader->at += part;
    }
    record->text = (struct slice){ text, len };
}

static void read_record(struct parse *parse, size_t end)
{
    struct dns_answer *out = parse->out;

    if (out->count == parse->room) {
        out->is_cut = true;
        parse->reader.at = end;
        return;
    }
    struct dns_record *record = &parse->records[out->count++];
    switch (parse->type) {
    case RR_A:
    case RR_AAAA:
        read_address(parse, record);
        break;
    case RR_MX:
        record->preference = read_u16(&parse->reader);
        read_name_text(parse, record);
        break;
    case RR_PTR:
        read_name_text(parse, record);
        break;
    case RR_TXT:
        read_strings(parse, end, record);
        break;
    }
}

static void read_answers(struct parse *parse, unsigned count)
{
    struct reader *reader = &parse->reader;
    struct resource head;

    for (unsigned i = 0; i < count && !reader->is_bad && !parse->no_memory; i++) {
        read_resource(reader, &head);
        bool is_ours = !reader->is_bad && head.class == CLASS_IN &&
                       name_equal(&head.owner, &parse->chain[parse->chain_len - 1]);
        if (is_ours && (head.type == TYPE_CNAME || head.type == parse->type)) {
            keep_ttl(parse, head.ttl_s);
            if (head.type == TYPE_CNAME)
                follow_cname(parse);
            else
                read_record(parse, head.end);
            if (reader->at != head.end)
                reader->is_bad = true;
        }
        reader->at = head.end;
    }
}

/* How long it may be remembered that there is nothing: RFC 2308 5. Without a SOA not at all. */
static uint32_t read_negative_ttl(struct reader *reader, unsigned count)
{
    enum { BEFORE_MINIMUM = 16 };
    struct resource head;
    struct wire_name name;

    for (unsigned i = 0; i < count && !reader->is_bad; i++) {
        read_resource(reader, &head);
        if (head.type == TYPE_SOA && head.class == CLASS_IN) {
            read_name(reader, &name);
            read_name(reader, &name);
            read_bytes(reader, BEFORE_MINIMUM);
            uint32_t minimum = read_u32(reader);
            if (reader->at != head.end)
                reader->is_bad = true;
            return minimum < head.ttl_s ? minimum : head.ttl_s;
        }
        reader->at = head.end;
    }
    return 0;
}

static bool read_question(struct parse *parse, unsigned count)
{
    read_name(&parse->reader, &parse->chain[0]);
    parse->chain_len = 1;
    return read_u16(&parse->reader) == parse->type && read_u16(&parse->reader) == CLASS_IN &&
           count == 1 && !parse->reader.is_bad;
}

/* The status that the packet says; a failure when it makes no sense. */
static enum dns_failure read_packet(struct parse *parse)
{
    struct reader *reader = &parse->reader;
    struct dns_answer *out = parse->out;

    read_u16(reader); /* the id is libunbound's matter */
    unsigned flags = read_u16(reader), questions = read_u16(reader), answers = read_u16(reader),
             authorities = read_u16(reader);
    read_u16(reader);
    if (reader->is_bad || (flags & FLAG_TRUNCATED) != 0 || !read_question(parse, questions))
        return DNS_FAILURE_GARBLED;
    unsigned rcode = flags & RCODE_MASK;
    if (rcode != 0 && rcode != RCODE_NXDOMAIN)
        return DNS_FAILURE_SERVER;

    parse->room = answers < DNS_RECORDS_MAX ? answers : DNS_RECORDS_MAX;
    parse->records = arena_alloc_array(parse->arena, parse->room + 1, sizeof *parse->records);
    if (parse->records == NULL)
        return DNS_FAILURE_MEMORY;
    out->ttl_s = UINT32_MAX;
    read_answers(parse, answers);
    if (parse->no_memory)
        return DNS_FAILURE_MEMORY;
    if (rcode == RCODE_NXDOMAIN)
        out->count = 0; /* the end of a chain does not exist: what else is there is not about it */
    if (out->count == 0)
        keep_ttl(parse, read_negative_ttl(reader, authorities));
    if (reader->is_bad)
        return DNS_FAILURE_GARBLED;
    out->status = out->count > 0 ? DNS_DATA : rcode == RCODE_NXDOMAIN ? DNS_NO_DOMAIN : DNS_NO_DATA;
    out->name = name_text(&parse->chain[parse->chain_len - 1], parse->arena);
    return out->name.ptr == NULL ? DNS_FAILURE_MEMORY : DNS_FAILURE_NONE;
}

void dns_packet_parse(struct slice packet, enum dns_type type, struct arena *arena,
                      struct dns_answer *out)
{
    struct parse parse = {
        .reader = { .bytes = (const unsigned char *)packet.ptr, .len = packet.len },
        .type = type,
        .arena = arena,
        .out = out,
    };

    *out = (struct dns_answer){ .count = 0 };
    enum dns_failure failure = read_packet(&parse);
    if (failure != DNS_FAILURE_NONE)
        *out = (struct dns_answer){ .status = DNS_FAILED, .failure = failure };
    else if (out->count > 0)
        out->records = parse.records;
}
