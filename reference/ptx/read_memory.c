#include "reference/ptx/read.h"

#include <stdlib.h>
#include <string.h>

struct read_block {
    struct read_block *next, *previous;
    size_t used, room;
    _Alignas(max_align_t) unsigned char bytes[];
};

enum { BLOCK_BYTES = 64 << 10, LARGE_BYTES = 8 << 10, FIRST_ROOM = 64, FIRST_BUCKETS = 1024 };

static void *no_memory(struct reader *r)
{
    r->status = error_set(r->error, STATUS_NO_MEMORY, "not enough memory to read a PTX module");
    r->status = STATUS_NO_MEMORY;
    return NULL;
}

static void link_block(struct read_arena *arena, struct read_block *b)
{
    b->next = arena->first;
    b->previous = NULL;
    if (b->next)
        b->next->previous = b;
    arena->first = b;
}

static struct read_block *new_block(struct read_arena *arena, size_t room)
{
    struct read_block *b = room < SIZE_MAX - sizeof *b ? calloc(1, sizeof *b + room) : NULL;
    if (b) {
        b->room = room;
        link_block(arena, b);
    }
    return b;
}

void *reader_alloc(struct reader *r, struct read_arena *arena, size_t bytes)
{
    struct read_block *b = arena->open;
    bytes = (bytes + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if (bytes > LARGE_BYTES) {
        b = new_block(arena, bytes);
    } else if (!b || b->room - b->used < bytes) {
        b = new_block(arena, BLOCK_BYTES);
        arena->open = b ? b : arena->open;
    }
    if (!b)
        return no_memory(r);
    void *at = b->bytes + b->used;
    b->used += bytes;
    return at;
}

/* A list is a block of its own, so that it can be moved. */
static void *resize(struct read_arena *arena, void *list, size_t bytes)
{
    if (!list) {
        struct read_block *made = new_block(arena, bytes);
        return made ? made->bytes : NULL;
    }
    struct read_block *old = (struct read_block *)((unsigned char *)list - offsetof(struct read_block, bytes));
    struct read_block *b = realloc(old, sizeof *b + bytes);
    if (!b)
        return NULL;
    b->room = bytes;
    if (b->next)
        b->next->previous = b;
    if (b->previous)
        b->previous->next = b;
    else
        arena->first = b;
    return b->bytes;
}

void *reader_grow(struct reader *r, struct read_arena *arena, void *list, uint32_t count, uint32_t *room, size_t each)
{
    if (count < *room)
        return list;
    uint32_t wanted = *room ? *room * 2 : FIRST_ROOM;
    void *grown = *room < UINT32_MAX / 2 ? resize(arena, list, wanted * each) : NULL;
    if (!grown)
        return no_memory(r);
    *room = wanted;
    return grown;
}

void read_arena_free(struct read_arena *arena)
{
    for (struct read_block *b = arena->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *arena = (struct read_arena){NULL, NULL};
}

static uint32_t hash_of(const char *text, size_t length)
{
    uint32_t h = UINT32_C(2166136261); /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * UINT32_C(16777619);
    return h;
}

static bool more_buckets(struct reader *r)
{
    uint32_t wanted = r->buckets ? r->buckets * 4 : FIRST_BUCKETS;
    struct read_name **bucket = reader_alloc(r, &r->scratch, wanted * sizeof *bucket);
    if (!bucket)
        return false;
    for (uint32_t i = 0; i < r->buckets; i++)
        for (struct read_name *n = r->bucket[i], *next; n; n = next) {
            next = n->next;
            n->next = bucket[n->hash % wanted];
            bucket[n->hash % wanted] = n;
        }
    r->bucket = bucket;
    r->buckets = wanted;
    return true;
}

struct read_name *reader_name(struct reader *r, const char *text, size_t length)
{
    uint32_t hash = hash_of(text, length);
    if (r->names >= r->buckets && !more_buckets(r))
        return NULL;
    struct read_name **bucket = &r->bucket[hash % r->buckets];
    for (struct read_name *n = *bucket; n; n = n->next)
        if (n->hash == hash && n->length == length && memcmp(n->text, text, length) == 0)
            return n;
    struct read_name *n = reader_alloc(r, &r->scratch, sizeof *n);
    char *copy = reader_alloc(r, &r->kept, length + 1);
    if (!n || !copy)
        return NULL;
    memcpy(copy, text, length);
    *n = (struct read_name){.text = copy, .length = (uint32_t)length, .hash = hash, .next = *bucket};
    *bucket = n;
    r->names++;
    return n;
}

struct read_name *reader_token_name(struct reader *r)
{
    if (r->token.kind != LEX_NAME) {
        reader_fail(r, "expected a name");
        return NULL;
    }
    return reader_name(r, r->lexer.text + r->token.at, r->token.length);
}
