#include "reference/mma.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct mma_op ops[] = {
#define MMA_OP(D, A, B, K, A_BITS, D_BITS) {D, A, B, K, A_BITS, D_BITS},
#include "reference/mma_ops.def"
#undef MMA_OP
};
enum { OPS = sizeof ops / sizeof *ops };
enum { TYPES_SIZE = 256 }; /* of the lists for people */

size_t mma_op_count(void)
{
    return OPS;
}

const struct mma_op *mma_op_at(size_t i)
{
    assert(i < OPS);
    return &ops[i];
}

const char *mma_format(const struct mma_op *op, char text[MMA_NAME_SIZE])
{
    int length = snprintf(text, MMA_NAME_SIZE, "mma.m%dn%dk%d.%s.%s.%s", MMA_M, MMA_N, op->k, op->d, op->a, op->b);
    assert(length > 0 && length < MMA_NAME_SIZE);
    return text;
}

static bool same_types(const struct mma_op *x, const struct mma_op *y)
{
    return strcmp(x->d, y->d) == 0 && strcmp(x->a, y->a) == 0 && strcmp(x->b, y->b) == 0;
}

/* The operations with the types of `like`, or all (NULL), for people: shapes "m16n8k8, m16n8k16" or types. */
static const char *legal(const struct mma_op *like, char text[TYPES_SIZE])
{
    size_t used = 0;
    for (size_t i = 0; i < OPS && used < TYPES_SIZE; i++) {
        const struct mma_op *op = &ops[i];
        const char *comma = used ? ", " : "";
        if (like && same_types(op, like))
            used += (size_t)snprintf(text + used, TYPES_SIZE - used, "%sm%dn%dk%d", comma, MMA_M, MMA_N, op->k);
        else if (!like && (i == 0 || !same_types(op, op - 1))) /* all of some types stand together */
            used += (size_t)snprintf(text + used, TYPES_SIZE - used, "%s%s.%s.%s", comma, op->d, op->a, op->b);
    }
    return text;
}

enum status mma_parse(const char *name, const struct mma_op **op, struct error *e)
{
    char own[MMA_NAME_SIZE], list[TYPES_SIZE];
    const char *shape = strncmp(name, "mma.", 4) == 0 ? name + 4 : NULL;
    const char *types = shape ? strchr(shape, '.') : NULL;
    if (!types)
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%.100s\" is no operation; write mma.SHAPE.D.A.B", name);
    const struct mma_op *like = NULL;
    for (size_t i = 0; i < OPS; i++) {
        mma_format(&ops[i], own);
        if (strcmp(own, name) == 0) {
            *op = &ops[i];
            return STATUS_OK;
        }
        if (strcmp(strchr(own + 4, '.'), types) == 0)
            like = &ops[i];
    }
    if (like)
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%.*s\" is no shape of these types; use one of %s",
                         types - shape > 50 ? 50 : (int)(types - shape), shape, legal(like, list));
    return error_set(e, STATUS_BAD_ARGUMENT, "the types \"%.50s\" are not covered; use one of %s", types + 1,
                     legal(NULL, list));
}
