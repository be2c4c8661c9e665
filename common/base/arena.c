/* common/base/arena.c - see arena.h. A list of blocks, the newest first; pieces are cut off its front. A piece
 * larger than a block gets a block of its own. */
#include "common/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>

enum { ARENA_BLOCK = 4096, ARENA_ALIGN = alignof(max_align_t) };

struct block {
    struct block *older;
    size_t size, used; /* of `bytes` */
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *newest;
    size_t taken, max;
    bool has_failed;
};

struct arena *arena_new(size_t max)
{
    struct arena *arena = calloc(1, sizeof *arena);

    if (arena != NULL)
        arena->max = max;
    return arena;
}

static void blocks_free(struct block *block)
{
    while (block != NULL) {
        struct block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_free(struct arena **arena)
{
    if (*arena == NULL)
        return;
    blocks_free((*arena)->newest);
    free(*arena);
    *arena = NULL;
}

void arena_reset(struct arena *arena)
{
    struct block *keep = arena->newest;

    arena->has_failed = false;
    if (keep == NULL)
        return;
    blocks_free(keep->older);
    keep->older = NULL;
    arena->taken = keep->size;
    keep->used = 0;
    if (keep->size > 4 * ARENA_BLOCK) { /* one large request is no reason to keep its memory */
        free(keep);
        arena->newest = NULL;
        arena->taken = 0;
    }
}

static struct block *block_add(struct arena *arena, size_t size)
{
    size_t room =
        size > ARENA_BLOCK - sizeof(struct block) ? size : ARENA_BLOCK - sizeof(struct block);

    if (arena->taken > arena->max || room > arena->max - arena->taken) {
        room = size; /* near the bound a block holds just the piece */
        if (arena->taken > arena->max || room > arena->max - arena->taken)
            return NULL;
    }
    struct block *block = malloc(sizeof *block + room);
    if (block == NULL)
        return NULL;
    *block = (struct block){ .older = arena->newest, .size = room };
    arena->newest = block;
    arena->taken += room;
    return block;
}

bool arena_has_failed(const struct arena *arena)
{
    return arena->has_failed;
}

static void *out_of_memory(struct arena *arena)
{
    arena->has_failed = true;
    return NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct block *block = arena->newest;

    if (size > SIZE_MAX - ARENA_ALIGN - sizeof(struct block))
        return out_of_memory(arena);
    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (block == NULL || size > block->size - block->used)
        block = block_add(arena, size);
    if (block == NULL)
        return out_of_memory(arena);
    void *piece = block->bytes + block->used;
    block->used += size;
    return memset(piece, 0, size);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size)
        return out_of_memory(arena);
    return arena_alloc(arena, count * size);
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
    if (text.ptr == NULL)
        return text;
    char *copy = text.len == SIZE_MAX ? NULL : arena_alloc(arena, text.len + 1);
    if (copy == NULL)
        return (struct slice){ NULL, 0 };
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return (struct slice){ copy, text.len };
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    struct slice out = { NULL, 0 };
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)len + 1, format, again);
        out = (struct slice){ text, (size_t)len };
    }
    va_end(again);
    va_end(args);
    return out;
}
