#include "oracle/infer/infer.h"

#include <stdio.h>
#include <string.h>

/* More would take wrong values for right ones. */
enum { ULPS_MOST = 1024 };

static enum status parse_at(const char *text, struct site_at *out, struct error *e)
{
    unsigned long long i, j;
    int used = 0;
    if (!text)
        return STATUS_OK;
    if (strchr(text, '-') || strchr(text, '+') || sscanf(text, "%9llu,%9llu%n", &i, &j, &used) != 2 || text[used]) {
        error_set(e, STATUS_BAD_ARGUMENT, "'%.40s' is no element; write M,K, as in 64,16", text);
        return error_at_field(e, "at"), STATUS_BAD_ARGUMENT;
    }
    *out = (struct site_at){true, (size_t)i, (size_t)j};
    return STATUS_OK;
}

static enum status read_operand(const char *path, const char *coding, const char *scales, struct site_operand *o,
                                struct error *e)
{
    if (!path)
        return STATUS_OK;
    enum status s = site_source_read(path, coding, scales, &o->source, e);
    o->given = s == STATUS_OK;
    return s;
}

/* Two extents that must be one, and the other extent of each: where one of the matrices lies the wrong way, say so. */
struct pair {
    const struct site_operand *x, *y;
    const char *x_name, *y_name, *letter;
    bool x_columns, y_columns; /* which extent of each */
};

static enum status check_pair(const struct pair *p, struct error *e)
{
    const struct site_source *x = &p->x->source, *y = &p->y->source;
    if (!p->x->given || !p->y->given)
        return STATUS_OK;
    size_t a = p->x_columns ? x->columns : x->rows, b = p->y_columns ? y->columns : y->rows;
    size_t a_other = p->x_columns ? x->rows : x->columns, b_other = p->y_columns ? y->rows : y->columns;
    if (a == b)
        return STATUS_OK;
    if (b_other == a)
        return error_set(e, STATUS_BAD_INPUT, "%s must be transposed: it is [%zu,%zu], and %s has %s = %zu", p->y_name,
                         y->rows, y->columns, p->x_name, p->letter, a);
    if (a_other == b)
        return error_set(e, STATUS_BAD_INPUT, "%s must be transposed: it is [%zu,%zu], and %s has %s = %zu", p->x_name,
                         x->rows, x->columns, p->y_name, p->letter, b);
    return error_set(e, STATUS_BAD_INPUT, "%s has %s = %zu and %s has %zu: they do not belong together", p->x_name,
                     p->letter, a, p->y_name, b);
}

static enum status check_options(const struct fo_infer_options *o, struct error *e)
{
    if (!o->capture)
        return error_set(e, STATUS_BAD_ARGUMENT, "a capture is needed: a folder, an image, or an .npy of registers");
    if (o->matrix && o->weights)
        return error_set(e, STATUS_BAD_ARGUMENT, "A comes from a matrix or from weights, not from both");
    if (o->weights && !o->tensor)
        return error_set(e, STATUS_BAD_ARGUMENT, "--weights %s wants --tensor STEM, the name without _blocks",
                         o->weights);
    if (!o->weights && (o->tensor || o->expert))
        return error_set(e, STATUS_BAD_ARGUMENT, "--tensor and --expert belong to --weights");
    if (o->weights && (o->scales || o->source))
        return error_set(e, STATUS_BAD_ARGUMENT, "--source and --scales belong to --matrix; weights are mxfp4");
    if (!o->matrix && (o->source || o->scales))
        return error_set(e, STATUS_BAD_ARGUMENT, "--source and --scales want --matrix");
    if (o->ulps > ULPS_MOST) {
        error_set(e, STATUS_BAD_ARGUMENT, "%llu is more than %d", (unsigned long long)o->ulps, ULPS_MOST);
        return error_at_field(e, "--ulps"), STATUS_BAD_ARGUMENT;
    }
    return STATUS_OK;
}

enum status infer_case_make(const struct fo_infer_options *o, struct infer_case *out, struct error *e)
{
    struct infer_case c = {.options = o, .asked.ulps = (uint32_t)o->ulps};
    enum status s = check_options(o, e);
    if (s == STATUS_OK)
        s = parse_at(o->at, &c.asked.at, e);
    if (s == STATUS_OK)
        s = read_operand(o->matrix, o->source, o->scales, &c.a, e);
    if (s == STATUS_OK && o->weights) {
        s = site_source_weights(o->weights, o->tensor, o->expert, &c.a.source, e);
        c.a.given = s == STATUS_OK;
    }
    if (s == STATUS_OK)
        s = read_operand(o->b, NULL, NULL, &c.b, e);
    if (s == STATUS_OK)
        s = read_operand(o->output, NULL, NULL, &c.output, e);
    const struct pair pairs[] = {{&c.a, &c.b, "the matrix of A", "--b", "K", true, false},
                                 {&c.a, &c.output, "the matrix of A", "--output", "M", false, false},
                                 {&c.b, &c.output, "--b", "--output", "N", true, true}};
    for (size_t i = 0; s == STATUS_OK && i < sizeof pairs / sizeof *pairs; i++)
        s = check_pair(&pairs[i], e);
    if (s == STATUS_OK)
        *out = c;
    else
        infer_case_free(&c);
    return s;
}

void infer_case_free(struct infer_case *c)
{
    site_operand_free(&c->a);
    site_operand_free(&c->b);
    site_operand_free(&c->output);
}
