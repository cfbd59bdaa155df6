/* explain_where: a set of observations as a product of conditions ("n odd", "rows p >= 48 of the segment").
 *
 * Every observation has features: small numbers such as n, the token inside its tile, the expert, a scale byte. For one
 * feature, the condition is that its value occurs in the set; the product of all conditions is the smallest product
 * around the set. Which observations outside the set does each combination of features exclude? That is a number of
 * bits a feature, so that every subset of features can be tried, and the cheapest that excludes all of them is the
 * answer. If not even all features together do, no product is the set. */
#ifndef FO_PROBES_EXPLAIN_WHERE_H
#define FO_PROBES_EXPLAIN_WHERE_H

#include <stdbool.h>

#include "reference/status.h"

enum { WHERE_FEATURES = 12, WHERE_TEXT = 256 };

/* names are static strings. A `table` is several coordinates in one number: never written out, and dear. */
struct where_feature {
    const char *name;
    uint32_t extent;
    bool table;
};

enum where_side { WHERE_IGNORED, WHERE_INSIDE, WHERE_OUTSIDE };

struct where_question {
    const struct where_feature *feature;
    int features;
    size_t count; /* observations */
    const uint8_t *side;
    /* Feature values of observation i, each below its extent. */
    void (*get)(void *context, size_t i, uint32_t value[WHERE_FEATURES]);
    void *context;
};

/* Owns its bit sets. */
struct where {
    bool found; /* a product is the set, exactly */
    unsigned used; /* bit f: feature f has a condition; none: everything is in the set */
    int features;
    uint32_t extent[WHERE_FEATURES];
    uint8_t *inside[WHERE_FEATURES]; /* [extent]: may the feature have this value? NULL unless used */
    unsigned cost;
    char text[WHERE_TEXT]; /* "n % 2 == 1 && p >= 48"; "everywhere" */
};
/* errors: STATUS_NO_MEMORY. */
enum status where_find(const struct where_question *q, struct where *out, struct error *e);
bool where_holds(const struct where *w, const uint32_t value[WHERE_FEATURES]); /* false unless found */
void where_free(struct where *w); /* safe when zeroed */

#endif
