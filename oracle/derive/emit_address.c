#include "oracle/derive/emit.h"

enum { BYTE = 8, BYTE_BITS = 3, POSITION_BITS = 32 };

/* Bit `to` of the result is, among others, bit `from` of a coordinate. Those with the same distance move together. */
static uint32_t moved(const struct layout *map, int from_dim, int dim, uint32_t drop, int shift)
{
    uint32_t mask = 0;
    for (int from = 0; 1u << from < map->domain.extent[from_dim]; from++) {
        int to = from + shift;
        if (to >= 0 && to < POSITION_BITS && map->image[from_dim][from].at[dim] >> drop >> to & 1u)
            mask |= 1u << to;
    }
    return mask;
}

/* How many terms there are, and how they join: where two coordinates move one bit, it is their exclusive or; everywhere
 * else that is the same as an or. */
static int count_terms(const struct layout *map, int dim, uint32_t drop, const char *const names[], const char **join)
{
    int terms = 0;
    uint32_t seen = 0;
    *join = " | ";
    for (int d = 0; d < map->domain.rank; d++)
        for (int shift = POSITION_BITS - 1; shift > -POSITION_BITS; shift--) {
            uint32_t mask = names[d] ? moved(map, d, dim, drop, shift) : 0;
            terms += mask != 0;
            if (seen & mask)
                *join = " ^ ";
            seen |= mask;
        }
    return terms;
}

void emit_terms(const struct layout *map, int dim, uint32_t drop, const char *const names[], struct text *out)
{
    const char *join;
    int terms = count_terms(map, dim, drop, names, &join), written = 0;
    for (int d = 0; d < map->domain.rank; d++)
        for (int shift = POSITION_BITS - 1; shift > -POSITION_BITS; shift--) {
            uint32_t mask = names[d] ? moved(map, d, dim, drop, shift) : 0;
            if (mask == 0)
                continue;
            text_add(out, "%s%s%s", written++ ? join : "", terms > 1 ? "(" : "", names[d]);
            if (shift != 0)
                text_add(out, " %s %d", shift > 0 ? "<<" : ">>", shift > 0 ? shift : -shift);
            text_add(out, " & 0x%xu%s", mask, terms > 1 ? ")" : "");
        }
    if (terms == 0)
        text_add(out, "0u");
}

/* (size_t)NAME / extent * step, without what does nothing. round: up, not down. */
static void add_blocks(const char *name, uint32_t extent, uint32_t step, bool round, struct text *out)
{
    if (extent > 1 && round)
        text_add(out, "((size_t)%s + %uu) / %uu", name, extent - 1, extent);
    else if (extent > 1)
        text_add(out, "(size_t)(%s / %uu)", name, extent);
    else
        text_add(out, "(size_t)%s", name);
    if (step > 1)
        text_add(out, " * %uu", step);
}

/* The block, then the place in it. */
static void add_axis(const struct storage *s, int dim, uint32_t drop, const char *const names[], struct text *out)
{
    const char *join;
    bool along_k = (dim == STORAGE_ROW) == s->rows_along_k;
    int along = along_k ? STORAGE_K : STORAGE_N;
    add_blocks(names[along], s->block.domain.extent[along], s->block.codomain.extent[dim] >> drop, false, out);
    if (count_terms(&s->block, dim, drop, names, &join) == 0)
        return;
    text_add(out, " + (");
    emit_terms(&s->block, dim, drop, names, out);
    text_add(out, ")");
}

static void add_shape(const struct storage *s, const char *prefix, const char *kind, struct text *out)
{
    const uint32_t *from = s->block.domain.extent, *to = s->block.codomain.extent;
    uint32_t n = from[STORAGE_N], k = from[STORAGE_K] * s->share;
    const char *right = s->rows_along_k ? "N" : "K", *down = s->rows_along_k ? "K" : "N";
    text_add(out,
             "/* Bytes from one stored row to the next, when none are left out; and of a matrix. */\n"
             "FO_FN size_t %s_%s_pitch(uint32_t N, uint32_t K)\n{\n    (void)%s;\n    return ",
             prefix, kind, down);
    add_blocks(right, s->rows_along_k ? n : k, to[STORAGE_POSITION] / BYTE, true, out);
    text_add(out, ";\n}\nFO_FN size_t %s_%s_bytes(uint32_t N, uint32_t K, size_t pitch)\n{\n    (void)%s;\n    return ",
             prefix, kind, right);
    add_blocks(down, s->rows_along_k ? k : n, to[STORAGE_ROW], true, out);
    text_add(out, " * pitch;\n}\n\n");
}

/* The place of any bit of any code, for those who store weights anew. */
static void add_bit(const struct storage *s, const char *prefix, const char *kind, struct text *out)
{
    static const char *const names[] = {"n", "k", "b"};
    text_add(out, "/* Bit b of the code of (n, k): its place, in bits from the begin of the matrix. */\n");
    if (s->word_bits) {
        text_add(out, "static const uint8_t %s_%s_scattered[%u] = {", prefix, kind, s->word_bits);
        for (uint32_t i = 0; i < s->word_bits; i++)
            text_add(out, "%s%u", i ? ", " : "", s->word[i]);
        text_add(out, "};\n");
    }
    text_add(out, "static inline size_t %s_%s_bit(uint32_t n, uint32_t k, uint32_t b, size_t pitch)\n{\n", prefix,
             kind);
    if (s->share > 1)
        text_add(out, "    k /= %uu;\n", s->share);
    text_add(out, "    size_t row = ");
    add_axis(s, STORAGE_ROW, 0, names, out);
    text_add(out, ";\n    size_t position = ");
    add_axis(s, STORAGE_POSITION, 0, names, out);
    text_add(out, ";\n");
    if (s->word_bits)
        text_add(out, "    position = position / %uu * %uu + %s_%s_scattered[position %% %uu];\n", s->word_bits,
                 s->word_bits, prefix, kind, s->word_bits);
    text_add(out, "    return row * pitch * 8u + position;\n}\n\n");
}

/* Undoes the scattering: bits of a word that go the same way go together. */
static void add_word(const struct storage *s, const char *prefix, const char *kind, struct text *out)
{
    text_add(out,
             "/* A stored word with the bits of each code side by side. */\n"
             "FO_FN uint32_t %s_%s_word(uint32_t w)\n{\n    return ",
             prefix, kind);
    int terms = 0;
    for (int shift = STORAGE_WORD - 1; shift > -STORAGE_WORD; shift--) {
        uint32_t mask = 0;
        for (int i = 0; i < (int)s->word_bits; i++)
            if (s->word[i] + shift == i)
                mask |= 1u << i;
        if (mask == 0)
            continue;
        text_add(out, "%s(w", terms++ ? " |\n           " : "");
        if (shift != 0)
            text_add(out, " %s %d", shift > 0 ? "<<" : ">>", shift > 0 ? shift : -shift);
        text_add(out, " & 0x%08xu)", mask);
    }
    text_add(out, ";\n}\n\n");
}

/* The place of a code in its load, where that depends on the thread. low: the bits of the position that say it. */
static void add_shift(const struct storage *s, uint32_t low, const char *const names[], const char *prefix,
                      const char *kind, struct text *out)
{
    struct layout map = s->block;
    for (int d = 0; d < map.domain.rank; d++)
        for (int bit = 0; bit < LAYOUT_BITS; bit++)
            map.image[d][bit].at[STORAGE_POSITION] &= low;
    text_add(out,
             "/* Bit of that load at which the code of (n, k) begins. */\n"
             "FO_FN uint32_t %s_%s_shift(uint32_t n, uint32_t k)\n{\n    (void)n, (void)k;\n    return ",
             prefix, kind);
    emit_terms(&map, STORAGE_POSITION, 0, names, out);
    text_add(out, ";\n}\n\n");
    if (s->word_bits)
        add_word(s, prefix, kind, out);
}

void emit_address(const struct storage *s, const struct plan *p, const char *prefix, const char *kind, bool bits,
                  struct text *out)
{
    static const char *const names[] = {"n", "k", NULL};
    uint32_t low = p->width * BYTE - 1;
    struct storage load = *s; /* of loads, not of codes */
    for (int d = 0; d < load.block.domain.rank; d++)
        for (int bit = 0; bit < LAYOUT_BITS; bit++)
            load.block.image[d][bit].at[STORAGE_POSITION] &= p->shifted ? ~low : UINT32_MAX;
    add_shape(s, prefix, kind, out);
    text_add(out,
             "/* Byte of the load that holds row n, column k%s. */\n"
             "FO_FN size_t %s_%s_offset(uint32_t n, uint32_t k, size_t pitch)\n{\n",
             s->share > 1 ? " (any of those that share the scale)" : "", prefix, kind);
    if (s->share > 1)
        text_add(out, "    k /= %uu;\n", s->share);
    text_add(out, "    size_t row = ");
    add_axis(&load, STORAGE_ROW, 0, names, out);
    text_add(out, ";\n    size_t byte = ");
    add_axis(&load, STORAGE_POSITION, BYTE_BITS, names, out);
    text_add(out, ";\n    return row * pitch + byte;\n}\n\n");
    if (p->shifted)
        add_shift(s, low, names, prefix, kind, out);
    if (bits)
        add_bit(s, prefix, kind, out);
}
