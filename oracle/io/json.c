#include "oracle/io/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/file.h"

enum { JSON_FILE_LIMIT = 64 << 20 };

static _Thread_local bool out_of_memory;

/* What stands before every block of jansson. The blocks of a parse form a ring, any other block a ring of its own. */
struct block {
    struct block *next, *previous;
};
static _Thread_local struct block
    ring; /* of the parse that is under way; not automatic, so a jump leaves it as it is */
static _Thread_local bool parsing;
static _Thread_local jmp_buf parse_failed;

static void *watched_malloc(size_t size)
{
    struct block *b = size < SIZE_MAX - sizeof *b ? malloc(sizeof *b + size) : NULL;
    if (!b) {
        out_of_memory = true;
        if (parsing)
            longjmp(parse_failed, 1);
        return NULL;
    }
    *b = (struct block){parsing ? ring.next : b, parsing ? &ring : b};
    b->next->previous = b;
    b->previous->next = b;
    return b + 1;
}

static void watched_free(void *data)
{
    if (!data)
        return;
    struct block *b = (struct block *)data - 1;
    b->next->previous = b->previous;
    b->previous->next = b->next;
    free(b);
}

__attribute__((constructor)) static void watch_memory(void)
{
    json_set_alloc_funcs(watched_malloc, watched_free);
}

/* Without memory jansson's parser reads and writes past its buffers (seen in 2.14), so it never sees a failure: it is
 * left by a jump, and what it had allocated by then is freed here. */
enum status json_load(const void *bytes, size_t size, json_t **out, json_error_t *at)
{
    bool before = out_of_memory;
    ring = (struct block){&ring, &ring};
    parsing = true;
    if (setjmp(parse_failed) != 0) {
        parsing = false;
        while (ring.next != &ring)
            watched_free(ring.next + 1);
        out_of_memory = before;
        return STATUS_NO_MEMORY;
    }
    json_t *document = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, at);
    parsing = false;
    ring.next->previous = ring.previous;
    ring.previous->next = ring.next;
    if (!document)
        return STATUS_BAD_INPUT;
    *out = document;
    return STATUS_OK;
}

void json_forget(void)
{
    out_of_memory = false;
}

bool json_starved(void)
{
    return out_of_memory;
}

static enum status no_memory(struct error *e, const char *path)
{
    error_set(e, STATUS_NO_MEMORY, "no memory for the document");
    return error_at_path(e, path), STATUS_NO_MEMORY;
}

enum status json_parse(const char *path, const void *bytes, size_t size, const char *schema, json_t **out,
                       struct error *e)
{
    json_error_t at;
    json_t *document = NULL;
    enum status s = json_load(bytes, size, &document, &at);
    if (s == STATUS_NO_MEMORY || out_of_memory) {
        json_decref(document);
        return no_memory(e, path);
    }
    if (s != STATUS_OK) {
        s = error_set(e, STATUS_BAD_INPUT, "not JSON: %s", at.text);
        error_at_path(e, path);
        if (e)
            e->line = at.line, e->column = at.column;
        return s;
    }
    const char *found = json_string_value(json_object_get(document, "schema"));
    if (schema && (!found || strcmp(found, schema) != 0)) {
        s = error_set(e, STATUS_BAD_INPUT, "schema is '%s', not '%s'", found ? found : "absent", schema);
        json_decref(document);
        return error_at_path(e, path), s;
    }
    *out = document;
    return STATUS_OK;
}

enum status json_read(const char *path, const char *schema, json_t **out, struct error *e)
{
    uint8_t *bytes;
    size_t size;
    enum status s = file_read(path, JSON_FILE_LIMIT, &bytes, &size, e);
    if (s != STATUS_OK)
        return s;
    s = json_parse(path, bytes, size, schema, out, e);
    free(bytes);
    return s;
}

/* Arrays of plain numbers on one line: [0, 2] instead of four lines. In place; the text only shrinks. */
static void join_numbers(char *text)
{
    char *to = text;
    bool quoted = false;
    for (const char *from = text; *from;) {
        size_t numbers = *from == '[' && !quoted ? strspn(from + 1, "0123456789-+.eE, \n") : 0;
        if (numbers > 0 && from[1 + numbers] == ']') {
            for (const char *end = from + 1 + numbers; from < end; from++)
                if (*from != '\n' && (*from != ' ' || to[-1] == ','))
                    *to++ = *from;
            continue;
        }
        if (*from == '\\' && quoted)
            *to++ = *from++;
        else if (*from == '"')
            quoted = !quoted;
        *to++ = *from++;
    }
    *to = '\0';
}

char *json_text(const json_t *document)
{
    char *text = json_dumps(document, JSON_INDENT(2)), *out = NULL;
    if (text && !out_of_memory) {
        join_numbers(text);
        size_t length = strlen(text);
        out = malloc(length + 2);
        if (out) {
            memcpy(out, text, length);
            memcpy(out + length, "\n", 2);
        }
    }
    watched_free(text);
    return out;
}

enum status json_write(const char *path, const json_t *document, struct error *e)
{
    char *text = json_text(document);
    if (!text)
        return no_memory(e, path);
    enum status s = file_write(path, text, strlen(text), e);
    free(text);
    return s;
}

json_t *json_name(const char *text)
{
    json_t *name = json_string(text);
    if (name)
        return name;
    size_t size = strlen(text) + 1;
    char *plain = watched_malloc(size);
    if (!plain)
        return NULL;
    for (size_t i = 0; i < size; i++)
        plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    name = json_string(plain);
    watched_free(plain);
    return name;
}

json_t *json_number(double x)
{
    if (isnan(x))
        return json_string("nan");
    if (isinf(x))
        return json_string(x < 0 ? "-inf" : "inf");
    return json_real(x);
}
