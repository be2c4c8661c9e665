/* common/mime/mime_walk.c - see mime_walk.h.
 *
 * Lines are looked at one by one. Outside of headers only those that begin with "--" can matter: they are compared with the
 * boundaries of all levels, the innermost first; one of an outer level ends the inner ones. */
#include "common/mime/mime_walk.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- leaves ---- */

static uint64_t decoded(const struct mime_walk *walk, uint64_t units)
{
    if (walk->encoding == MIME_BASE64)
        return units / 4 * 3 + units % 4 * 3 / 4;
    return units;
}

static bool is_base64(char c)
{
    return ascii_is_alnum(c) || c == '+' || c == '/';
}

static void count_quoted(struct mime_walk *walk, char c)
{
    if (walk->escape == 0) {
        walk->line_units++;
        walk->escape = c == '=' ? 2 : 0;
        return;
    }
    walk->escape--;
    if (c != '\n')
        return;
    walk->escape = 0; /* a soft line end: neither it nor its = is there */
    walk->line_units -= walk->line_units > 0;
    walk->is_soft = true;
}

/* Counts what these bytes of a line add to the leaf. */
static void count_units(struct mime_walk *walk, struct slice bytes)
{
    if (walk->encoding == MIME_IDENTITY) {
        walk->line_units += bytes.len;
        return;
    }
    for (size_t i = 0; i < bytes.len; i++)
        if (walk->encoding == MIME_BASE64)
            walk->line_units += is_base64(bytes.ptr[i]);
        else
            count_quoted(walk, bytes.ptr[i]);
}

static void leaf_line(struct mime_walk *walk, unsigned line_end)
{
    walk->units += walk->line_units;
    walk->line_end = walk->encoding == MIME_BASE64 || walk->is_soft ? 0 : line_end;
    walk->is_soft = false;
}

static void leaf_end(struct mime_walk *walk)
{
    uint64_t size = decoded(walk, walk->units);

    if (walk->is_at_boundary)
        size = size > walk->line_end ? size - walk->line_end : 0;
    walk->visitor->end(walk->visitor->arg, size);
    walk->where = WALK_BETWEEN;
}

/* ---- headers ---- */

static void header_begin(struct mime_walk *walk)
{
    walk->where = WALK_HEADER;
    walk->is_content_field = walk->is_cut = false;
    walk->line_at = 0;
    buf_clear(&walk->fields);
}

static size_t depth_of(const struct mime_walk *walk)
{
    size_t depth = walk->messages;

    for (size_t i = 0; i < walk->level_count; i++)
        depth += 1 + walk->levels[i].messages;
    return depth;
}

static void push(struct mime_walk *walk, const struct mime_entity *entity)
{
    struct mime_level *level = &walk->levels[walk->level_count++];

    walk->has_closed = false;
    memcpy(level->boundary, entity->boundary, entity->boundary_len);
    level->len = entity->boundary_len;
    level->is_digest = entity->is_digest;
    level->is_unseen = entity->encoding != MIME_IDENTITY;
    level->messages = walk->messages;
    walk->messages = 0;
    walk->where = WALK_BETWEEN;
}

static void leaf_begin(struct mime_walk *walk, enum mime_encoding encoding)
{
    walk->where = WALK_LEAF;
    walk->encoding = encoding;
    walk->units = 0;
    walk->line_end = walk->escape = 0;
    walk->is_soft = false;
}

/* The part's header has ended: what is it? A part that must not go deeper is passed over as a leaf. */
static void part_begin(struct mime_walk *walk)
{
    struct mime_entity entity = { .kind = MIME_LEAF };
    bool in_digest = walk->level_count > 0 && walk->levels[walk->level_count - 1].is_digest &&
                     walk->messages == 0;
    bool is_deep = depth_of(walk) >= MIME_DEPTH_MAX - 1;

    if (walk->parts == MIME_PARTS_MAX) {
        walk->is_limited = true;
        walk->where = WALK_FAILED;
        return;
    }
    if (!walk->visitor->begin(walk->visitor->arg, buf_slice(&walk->fields), in_digest, &entity)) {
        walk->where = WALK_FAILED;
        return;
    }
    walk->parts++;
    if (entity.kind == MIME_MULTIPART && entity.boundary_len == 0)
        walk->is_broken = true;
    if (entity.kind != MIME_LEAF && is_deep)
        walk->is_limited = true;
    if (entity.kind == MIME_MULTIPART && entity.boundary_len > 0 && !is_deep) {
        push(walk, &entity);
    } else if (entity.kind == MIME_MESSAGE && !is_deep) {
        walk->visitor->end(walk->visitor->arg, 0);
        walk->messages++;
        header_begin(walk);
    } else {
        leaf_begin(walk, entity.kind == MIME_LEAF ? entity.encoding : MIME_IDENTITY);
    }
    if (depth_of(walk) > walk->depth)
        walk->depth = depth_of(walk);
}

static void header_bytes(struct mime_walk *walk, struct slice bytes)
{
    size_t cr = slice_find(bytes, '\r');

    if (slice_find(bytes, '\0') != SIZE_MAX)
        walk->is_broken = walk->is_ambiguous = true;
    if ((walk->last == '\r' && bytes.ptr[0] != '\n') ||
        (cr != SIZE_MAX && cr + 1 < bytes.len && bytes.ptr[cr + 1] != '\n'))
        walk->is_ambiguous = true; /* a line ends there, or none does */
    if (walk->is_cut || buf_add(&walk->fields, bytes) != 0)
        walk->is_cut = true;
}

/* Only lines of Content-* fields stay in the buffer. */
static void header_line(struct mime_walk *walk, struct slice line)
{
    static const struct slice prefix = SLICE_INIT("content-");

    if (slice_trim(line).len == 0 && walk->line_len == line.len && !is_blank(line.ptr[0])) {
        walk->fields.len = walk->line_at;
        part_begin(walk);
        return;
    }
    if (!is_blank(line.ptr[0]))
        walk->is_content_field = slice_equal_nocase(slice_part(line, 0, prefix.len), prefix);
    if (!walk->is_content_field)
        walk->fields.len = walk->line_at;
    else if (walk->is_cut)
        walk->is_limited = true; /* what is there is looked at */
    walk->line_at = walk->fields.len;
    walk->is_cut = false;
}

/* ---- lines ---- */

enum boundary { BOUNDARY_NONE, BOUNDARY_PREFIX, BOUNDARY_PART, BOUNDARY_CLOSE };

/* Does the line, which begins with "--", end or begin a part of this level? PREFIX: it does to those who compare no more than the
 * boundary's own bytes, as RFC 2046 5.1.1 tells them to. */
static enum boundary boundary_of(const struct mime_walk *walk, const struct mime_level *level,
                                 struct slice line)
{
    struct slice rest;

    if (line.len - 2 < level->len || memcmp(line.ptr + 2, level->boundary, level->len) != 0)
        return BOUNDARY_NONE;
    rest = slice_skip(line, 2 + level->len);
    bool is_close = slice_starts_with(rest, SLICE("--"));
    if (walk->line_len != line.len || slice_trim(slice_skip(rest, is_close ? 2 : 0)).len > 0)
        return BOUNDARY_PREFIX;
    return is_close ? BOUNDARY_CLOSE : BOUNDARY_PART;
}

/* Ends what is under way. */
static void close_part(struct mime_walk *walk)
{
    if (walk->where == WALK_HEADER) { /* a part without a body */
        walk->is_broken |= walk->messages > 0;
        walk->fields.len = walk->line_at;
        part_begin(walk);
        if (walk->where == WALK_HEADER)
            walk->where = WALK_BETWEEN;
    }
    if (walk->where == WALK_LEAF)
        leaf_end(walk);
}

static void leave_levels(struct mime_walk *walk, size_t left)
{
    while (walk->level_count > left)
        walk->is_ambiguous |= walk->levels[--walk->level_count].is_unseen;
}

/* A part of this level begins, or the last one has ended. */
static void enter_level(struct mime_walk *walk, size_t level, bool is_close)
{
    walk->is_at_boundary = true;
    close_part(walk);
    walk->is_at_boundary = false;
    if (walk->where == WALK_FAILED)
        return;
    if (walk->level_count > level + 1) /* the ends of inner ones never came */
        walk->is_broken = true;
    leave_levels(walk, level + 1);
    walk->messages = 0;
    walk->has_closed = is_close;
    if (is_close) {
        walk->messages = walk->levels[level].messages;
        leave_levels(walk, level);
        walk->where = WALK_BETWEEN;
    } else {
        walk->levels[level].is_unseen = false;
        header_begin(walk);
    }
}

/* True: the line was one. */
static bool take_boundary(struct mime_walk *walk, struct slice line)
{
    bool is_prefix = false;

    if (line.len < 3 || line.ptr[0] != '-' || line.ptr[1] != '-')
        return false;
    for (size_t i = walk->level_count; i-- > 0;) {
        enum boundary found = boundary_of(walk, &walk->levels[i], line);
        is_prefix |= found == BOUNDARY_PREFIX;
        if (found != BOUNDARY_PART && found != BOUNDARY_CLOSE)
            continue;
        enter_level(walk, i, found == BOUNDARY_CLOSE);
        return true;
    }
    if (is_prefix || (walk->has_closed &&
                      boundary_of(walk, &walk->levels[walk->level_count], line) == BOUNDARY_PART))
        walk->is_ambiguous = true;
    return false;
}

static bool is_uuencoded(const struct mime_walk *walk, struct slice line)
{
    return walk->where == WALK_LEAF && walk->encoding != MIME_BASE64 &&
           slice_starts_with(line, SLICE("begin ")) && walk->visitor->uuencoded != NULL;
}

static void line_ended(struct mime_walk *walk, unsigned line_end)
{
    struct slice line = { walk->line, walk->line_kept };

    if (!take_boundary(walk, line)) {
        if (is_uuencoded(walk, line) && !walk->visitor->uuencoded(walk->visitor->arg, line))
            walk->where = WALK_FAILED;
        if (walk->where == WALK_LEAF)
            leaf_line(walk, line_end);
        else if (walk->where == WALK_HEADER && line.len > 0)
            header_line(walk, line);
    }
    walk->line_kept = 0;
    walk->line_len = walk->line_units = 0;
}

/* A piece of a line, its end perhaps. */
static void take_piece(struct mime_walk *walk, struct slice piece)
{
    size_t room = sizeof walk->line - walk->line_kept;
    struct slice kept = slice_part(piece, 0, room);

    memcpy(walk->line + walk->line_kept, kept.ptr, kept.len);
    walk->line_kept += kept.len;
    walk->line_len += piece.len;
    if (walk->where == WALK_LEAF)
        count_units(walk, piece);
    else if (walk->where == WALK_HEADER)
        header_bytes(walk, piece);
}

int mime_walk_feed(struct mime_walk *walk, struct slice bytes)
{
    while (bytes.len > 0 && walk->where != WALK_FAILED) {
        size_t end = slice_find(bytes, '\n');
        struct slice piece = slice_part(bytes, 0, end == SIZE_MAX ? bytes.len : end + 1);
        take_piece(walk, piece);
        if (end != SIZE_MAX) {
            char before = piece.len > 1 ? piece.ptr[piece.len - 2] : walk->last;
            line_ended(walk, before == '\r' ? 2 : 1);
        }
        walk->last = piece.ptr[piece.len - 1];
        bytes = slice_skip(bytes, piece.len);
    }
    return walk->where == WALK_FAILED ? -1 : 0;
}

int mime_walk_init(struct mime_walk *walk, const struct mime_visitor *visitor, struct slice fields)
{
    *walk = (struct mime_walk){ .visitor = visitor, .fields = BUF_INIT(MIME_HEADER_MAX) };
    if (buf_add(&walk->fields, slice_part(fields, 0, MIME_HEADER_MAX)) != 0)
        return -1;
    walk->is_limited = fields.len > MIME_HEADER_MAX;
    part_begin(walk);
    return walk->where == WALK_FAILED ? -1 : 0;
}

void mime_walk_end(struct mime_walk *walk)
{
    if (walk->line_kept > 0)
        line_ended(walk, 0);
    if (walk->level_count > 0 || walk->where == WALK_HEADER)
        walk->is_broken = true;
    close_part(walk);
    leave_levels(walk, 0);
    buf_free(&walk->fields);
}
