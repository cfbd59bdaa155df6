/* Hypotheses about the place: which rows are computed, of which expert, which product element each output takes, and at
 * which column it meets the 1 of x. */
#include "oracle/diagnose/hypothesis.h"

/* ---- routing ---------------------------------------------------------------------------------------------------- */

static void skip_ids_from_active(const struct choice *c, struct launch *l)
{
    (void)c;
    l->skips = true;
}

static void segment_of_expert(const struct choice *c, struct launch *l)
{
    (void)c;
    l->by_expert = true;
}

static void read_past_active(const struct choice *c, struct launch *l)
{
    (void)c;
    l->one_more = true;
}

static void rows_from_stale(const struct choice *c, struct launch *l)
{
    l->rows_most = c->parameter;
}

/* How many rows of a segment are computed: 48, and what the map suggests. */
static size_t rows_of_segment(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t p = 0; p < g->P; p++)
        if (g->run[p].segment >= 0 && g->map->value[source_map_at(g->map, 0, p, 0)] == SOURCE_UNWRITTEN &&
            p - g->run[p].first < first)
            first = p - g->run[p].first;
    out[0] = (struct choice){.is = h, .parameter = 48};
    out[1] = (struct choice){.is = h, .parameter = first};
    return first == 48 || first == 0 || first == UINT32_MAX ? 1 : 2;
}

static void tiles_of_rows(const struct choice *c, struct launch *l)
{
    (void)c;
    l->grid_by_rows = true;
}

static void bad_id_clamped(const struct choice *c, struct launch *l)
{
    (void)c;
    l->clamps = true;
}

static void zeros_not_written(const struct choice *c, struct launch *l)
{
    (void)c;
    l->zeros_return = true;
}

static void surplus_wins(const struct choice *c, struct launch *l)
{
    (void)c;
    l->overlaps = true;
}

/* Row i of a segment holds the result of row i-2: the map was applied twice. */
static void rows_scattered(const struct geometry *g, const struct choice *c, struct site *s)
{
    (void)c;
    const struct row_run *r = &g->run[s->p];
    if (r->segment >= 0)
        s->p = r->first + (s->p - r->first + 2 * r->rows - 2) % r->rows;
}

/* ---- epilogue --------------------------------------------------------------------------------------------------- */

/* Accumulator i of a thread: feature g + 8*(i/2%2), token 8*(i/4) + 2q + i%2. Taken as r*16 + c for row r (feature g or
 * g+8) and column c of the thread's tokens. */
static void accumulators_transposed(const struct geometry *g, const struct choice *c, struct site *s)
{
    (void)c;
    uint32_t row = s->n >> 3 & 1, q = s->token / 2 % 4, column = s->token / 8 * 2 + s->token % 2;
    uint32_t columns = g->tile_tokens / 4, i = row * columns + column;
    s->n = (s->n & ~8u) | (i / 2 % 2) * 8;
    s->token = 8 * (i / 4) + 2 * q + i % 2;
}

/* Pair j = T/2 of tokens was computed as q + 4c and is written to c + q*8, c = 0..7. */
static void pair_of_lane(const struct geometry *g, const struct choice *c, struct site *s)
{
    (void)c;
    uint32_t columns = g->tile_tokens / 8, pair = s->token / 2;
    s->token = 2 * (pair / columns + 4 * (pair % columns)) + s->token % 2;
}

/* ---- descriptor ------------------------------------------------------------------------------------------------- */

/* The 16-byte chunk of 8 columns that was written elsewhere among the 8 of its 128 bytes. */
static void chunk_moved(struct site *s, uint32_t by)
{
    s->k ^= by % 8 * 8;
}

static void chunk_unswizzled(const struct geometry *g, const struct choice *c, struct site *s)
{
    (void)g;
    (void)c;
    chunk_moved(s, s->token % 8);
}

static void chunk_of_next_row(const struct geometry *g, const struct choice *c, struct site *s)
{
    (void)g;
    (void)c;
    chunk_moved(s, s->token % 8 ^ (s->token + 1) % 8);
}

static void half_written(const struct geometry *g, const struct choice *c, struct site *s)
{
    (void)c;
    s->lit = s->lit && s->token < g->tile_tokens / 2;
}

const struct hypothesis hypotheses_place[] = {
    {"F24", "id-ge-active", "routing", DEPTH_ROUTING, .launch = skip_ids_from_active,
     .what = "a valid id that is not below the number of active segments is skipped",
     .found = "if (id >= active) return;",
     .wanted = "if (id < 0 || id >= experts) the rows are zero; active bounds segments, not ids"},
    {"F25", "segment-by-expert", "routing", DEPTH_ROUTING, .launch = segment_of_expert,
     .what = "the rows of a segment are looked up by its expert",
     .found = "rows expert_start[id] .. expert_start[id+1]",
     .wanted = "rows expert_start[a] .. expert_start[a+1] for segment a, expert expert_ids[a]"},
    {"F26", "read-past-active", "routing", DEPTH_ROUTING, .launch = read_past_active,
     .what = "one segment too many is read: the entries past the active ones are undefined",
     .found = "for (a = 0; a <= active; a++)",
     .wanted = "for (a = 0; a < active; a++); rows past the last start are zero"},
    {"F27", "stale-max-rows", "routing", DEPTH_ROUTING, .launch = rows_from_stale, .choices = rows_of_segment,
     .parameter = "after %u rows", .what = "the rows of a segment beyond a limit are never computed",
     .found = "tiles for at most the limit of rows a segment",
     .wanted = "tiles for starts[a+1] - starts[a] rows of every segment"},
    {"F28", "grid-too-small", "routing", DEPTH_ROUTING, .launch = tiles_of_rows,
     .what = "the grid has tiles for the rows, none for the remainders of the segments", .found = "grid = ceil(P/64)",
     .wanted = "grid = P/64 + active + 2: every segment starts a tile of its own"},
    {"F29", "id-out-of-range", "routing", DEPTH_ROUTING, .launch = bad_id_clamped,
     .what = "an id outside the experts is clamped and nobody is told",
     .found = "id = clamp(id, 0, experts - 1), status 0",
     .wanted = "id < 0 || id >= experts: zero rows, status 1 + segment"},
    {"F30", "unwritten-rows", "routing", DEPTH_ROUTING, .launch = zeros_not_written,
     .what = "tiles without an expert return and leave what was there", .found = "if (expert < 0) return;",
     .wanted = "if (expert < 0) write zeros to every row of the tile"},
    {"F31", "tile-overlap", "routing", DEPTH_ROUTING, .launch = surplus_wins,
     .what = "the last tile of a segment writes all of its 64 rows, over those of the next",
     .found = "store if row < P", .wanted = "store if row < starts[a+1]"},
    {"F32", "restore-scatter", "routing", DEPTH_RESTORE, .place = rows_scattered,
     .what = "the permutation of the rows is applied again instead of its inverse",
     .found = "out[map[i]] = result[i], twice", .wanted = "out[map[i]] = result[i], then out = result[inverse[i]]"},
    {"F08", "epilogue-index-transposed", "epilogue", DEPTH_EPILOGUE, .place = accumulators_transposed,
     .what = "accumulators are taken row by row", .found = "acc[r*16 + c]", .wanted = "acc[c/2*4 + r*2 + c%2]"},
    {"F09", "epilogue-lane-column", "epilogue", DEPTH_EPILOGUE, .place = pair_of_lane,
     .what = "each lane writes its pairs of tokens side by side", .found = "pair = c + lane%4*8",
     .wanted = "pair = lane%4 + 4c"},
    {"F36", "smem-swizzle-mismatch", "descriptor", DEPTH_DESCRIPTOR, .place = chunk_unswizzled,
     .what = "x is written to shared memory without the swizzle that the descriptor states", .found = "chunk k/8",
     .wanted = "chunk k/8 ^ token%8 (128-byte swizzle)"},
    {"F37", "stage-alignment", "descriptor", DEPTH_DESCRIPTOR, .place = chunk_of_next_row,
     .what = "the stage of x begins one row of 128 bytes off its alignment", .found = "chunk k/8 ^ (token+1)%8",
     .wanted = "chunk k/8 ^ token%8: stages aligned to 1024 bytes"},
    {"F39", "writer-map", "descriptor", DEPTH_DESCRIPTOR, .place = half_written,
     .what = "the copy of x covers the first half of the tile twice and the second never",
     .found = "chunk = (c*128 + t) % 512", .wanted = "chunk = c*128 + t, each of the 1024 once"},
    {"F33", "masking-clamp", "epilogue", DEPTH_DECODE, .launders = true,
     .what = "NaN becomes 0 and infinity the largest finite value on the way out", .found = "clamp in the epilogue",
     .wanted = "out = bf16(acc): NaN and Inf stay what they are"},
};
const size_t hypotheses_place_count = sizeof hypotheses_place / sizeof *hypotheses_place;
