/* A capture into a folder. tap.json is written as text, without jansson: the library that goes into processes of others
 * carries this module, and they may have a jansson of their own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "oracle/io/tap_image.h"

enum { NAME_SIZE = 64 };

/* siteN.WHAT. Operands come from strangers: what is no letter, digit or dash becomes an underscore. */
static void plain_name(const struct tap_image_stream *s, char name[NAME_SIZE])
{
    bool registers = s->kind == FO_KIND_A || s->kind == FO_KIND_D, assertion = s->kind == FO_KIND_ASSERT;
    char operand[sizeof s->operand];
    snprintf(operand, sizeof operand, "%s", s->operand[0] ? s->operand : "none");
    for (char *c = operand; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", *c))
            *c = '_';
    snprintf(name, NAME_SIZE, "site%u.%s%s", s->site, registers || assertion ? operand : tap_image_kind_name(s->kind),
             assertion ? ".assert" : "");
}

/* The name of stream `at`, with a number where streams before it have the same. */
static void stream_name(const struct tap_image *image, uint32_t at, char name[NAME_SIZE])
{
    uint32_t same = 1;
    char other[NAME_SIZE];
    plain_name(&image->stream[at], name);
    for (uint32_t i = at; i-- > 0 && image->stream[i].site == image->stream[at].site;) {
        plain_name(&image->stream[i], other);
        same += strcmp(name, other) == 0;
    }
    if (same > 1)
        snprintf(name + strlen(name), NAME_SIZE - strlen(name), ".%u", same);
}

/* A text as JSON holds it. What is not ASCII becomes ?: names from a kernel need not be UTF-8. */
static void put_text(FILE *to, const char *text)
{
    putc('"', to);
    for (const char *c = text; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\')
            fprintf(to, "\\%c", byte);
        else if (byte < ' ' || byte == 0x7f)
            fprintf(to, "\\u%04x", byte);
        else
            putc(byte < 0x80 ? byte : '?', to);
    }
    putc('"', to);
}

static void put_member(FILE *to, const char *indent, const char *name, const char *text)
{
    fprintf(to, "%s\"%s\": ", indent, name);
    put_text(to, text);
    fputs(",\n", to);
}

static const char *boolean(bool x)
{
    return x ? "true" : "false";
}

static void put_stream(FILE *to, const struct tap_image_stream *s, const char *name)
{
    static const char indent[] = "      ";
    fprintf(to, "    {\n%s\"site\": %u,\n", indent, s->site);
    put_member(to, indent, "op", s->op);
    put_member(to, indent, "operand", s->operand);
    put_member(to, indent, "kind", tap_image_kind_name(s->kind));
    fprintf(to, "%s\"accumulator\": %u,\n%s\"words\": %u,\n", indent, s->accumulator, indent, s->words);
    fprintf(to, "%s\"a_mn\": %s,\n%s\"b_mn\": %s,\n", indent, boolean(s->flags & FO_FLAG_A_MN), indent,
            boolean(s->flags & FO_FLAG_B_MN));
    put_member(to, indent, "source", s->source);
    fprintf(to, "%s\"file\": \"%s.npy\",\n%s\"count_file\": \"%s.count.npy\"\n    }", indent, name, indent, name);
}

static void put_document(FILE *to, const struct tap_image *image)
{
    const struct tap_image_launch *l = &image->launch;
    const struct tap_image_filter *f = &image->filter;
    fputs("{\n", to);
    put_member(to, "  ", "schema", TAP_IMAGE_SCHEMA);
    put_member(to, "  ", "fidelity", "hardware-instrumented");
    put_member(to, "  ", "kernel", l->kernel);
    fprintf(to, "  \"launch\": %" PRIu64 ",\n", l->launch);
    fprintf(to, "  \"grid\": [%u, %u, %u],\n", l->grid[0], l->grid[1], l->grid[2]);
    fprintf(to, "  \"block\": [%u, %u, %u],\n", l->block[0], l->block[1], l->block[2]);
    put_member(to, "  ", "gpu", l->gpu);
    put_member(to, "  ", "driver", l->driver);
    put_member(to, "  ", "date", l->date);
    fprintf(to,
            "  \"filter\": {\n    \"first_block\": %u,\n    \"blocks\": %u,\n    \"first_warpgroup\": %u,\n"
            "    \"warpgroups\": %u,\n    \"first_iteration\": %u,\n    \"iterations\": %u,\n"
            "    \"keep_last\": %s\n  },\n",
            f->first_block, f->blocks, f->first_warpgroup, f->warpgroups, f->first_iteration, f->iterations,
            boolean(f->keep_last));
    fprintf(to, "  \"refused\": %u,\n  \"streams\": [", image->refused);
    for (uint32_t i = 0; i < image->stream_count; i++) {
        char name[NAME_SIZE];
        stream_name(image, i, name);
        fputs(i ? ",\n" : "\n", to);
        put_stream(to, &image->stream[i], name);
    }
    fputs(image->stream_count ? "\n  ]\n}\n" : "]\n}\n", to);
}

static enum status write_document(const char *path, const struct tap_image *image, struct error *e)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    bool whole = to != NULL;
    if (to) {
        put_document(to, image);
        whole = !ferror(to);
        whole = fclose(to) == 0 && whole;
    }
    enum status s = STATUS_NO_MEMORY;
    if (whole)
        s = file_write(path, text, size, e);
    else {
        error_set(e, s, "no memory for the document");
        error_at_path(e, path);
    }
    free(text);
    return s;
}

static enum status write_stream(const char *folder, const struct tap_image *image, uint32_t at, struct error *e)
{
    const struct tap_image_filter *f = &image->filter;
    const struct tap_image_stream *s = &image->stream[at];
    const size_t data[] = {f->blocks, f->warpgroups, f->iterations, FO_CAPTURE_THREADS, s->words};
    const size_t count[] = {f->blocks, f->warpgroups, FO_CAPTURE_THREADS};
    char name[NAME_SIZE], file[NAME_SIZE + 16], path[PATH_MAX];
    stream_name(image, at, name);
    snprintf(file, sizeof file, "%s.npy", name);
    enum status status = file_path(folder, file, path, e);
    if (status == STATUS_OK)
        status = npy_write(path, NPY_U4, sizeof data / sizeof *data, data, s->data, e);
    snprintf(file, sizeof file, "%s.count.npy", name);
    if (status == STATUS_OK)
        status = file_path(folder, file, path, e);
    if (status == STATUS_OK)
        status = npy_write(path, NPY_U4, sizeof count / sizeof *count, count, s->counter, e);
    return status;
}

enum status tap_image_write(const char *folder, const struct tap_image *image, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_path(folder, TAP_IMAGE_JSON, path, e);
    for (uint32_t i = 0; s == STATUS_OK && i < image->stream_count; i++)
        s = write_stream(folder, image, i, e);
    if (s == STATUS_OK)
        s = write_document(path, image, e);
    return s;
}
