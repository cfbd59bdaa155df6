/* plan: which loads bring a thread its registers.
 *
 * A window is `steps` consecutive steps of K of one operation. A slot of a window is (step, register, part); the
 * fragment map says which (n, k) it holds, the storage where the bits of that are. The widest load without a shuffle is
 * the largest aligned chunk of which every bit belongs to slots of the thread that loads it, for every thread. */
#ifndef FO_ORACLE_DERIVE_PLAN_H
#define FO_ORACLE_DERIVE_PLAN_H

#include "oracle/derive/storage.h"
#include "reference/fragment.h"

enum { PLAN_STEPS = 8, PLAN_SLOTS = 128, PLAN_WIDTH = 16 };

/* A of one operation: slot of one step to (m, k). */
struct tile {
    struct wgmma_op op;
    struct layout fragment;
    uint32_t regs, parts, step_k;
};

/* Everything relative to the thread's own row and column: n of a slot is n(thread) + n, k the same. */
struct offset {
    uint32_t n, k;
};
struct plan_load {
    struct offset address; /* the element that stands at its begin */
    struct offset least;   /* the least row and column in it: nothing is loaded where these lie outside the matrix */
};

struct plan {
    uint32_t steps, width; /* of a window; bytes of a load */
    uint32_t loads;
    bool clean;   /* no shuffle: every bit of every load belongs to the thread */
    bool shifted; /* not clean, and where in its load a code stands depends on the thread */
    struct plan_load load[PLAN_SLOTS];
    uint8_t at[PLAN_SLOTS];                /* which load holds a slot */
    uint8_t bit[PLAN_SLOTS][STORAGE_WORD]; /* and where in it each bit of its code stands (shifted: 0, 1, ...) */
    uint32_t n_multiple, k_multiple;       /* what N and K must be multiples of, so that loads are aligned and whole */
    uint32_t wide_used;                    /* bytes that a thread would use of each 16-byte load, on average */
};

/* errors: those of wgmma_parse and fragment_map. */
enum status tile_make(const char *op, struct tile *out, struct error *e);
uint32_t tile_slots(const struct tile *t, uint32_t steps);
/* (n, k) of a slot relative to the thread, and of a thread relative to the tile. */
struct offset tile_slot(const struct tile *t, uint32_t slot);
struct offset tile_thread(const struct tile *t, uint32_t thread);
/* Name the values that a thread holds in one step v00, v01, ... by row, then column: order[slot] is the name of what
 * slot `2 * register + half` holds. */
void tile_order(const struct tile *t, uint32_t order[PLAN_SLOTS]);

/* steps: 0 for any. errors: STATUS_UNSUPPORTED when the bits of one code lie too far apart. */
enum status plan_find(const struct storage *s, const struct tile *t, uint32_t steps, struct plan *out, struct error *e);

/* The layouts that make one 16-byte load of a thread's window: values, and scales for it. Block: 64 rows by the columns
 * of the window; all that a block of threads loads together stands together. */
struct storage preswizzle_values(const struct tile *t, uint32_t bits);
struct storage preswizzle_scales(const struct tile *t, uint32_t steps, uint32_t share);

#endif
