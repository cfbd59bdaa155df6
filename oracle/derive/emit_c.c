#include <string.h>

#include "oracle/derive/emit.h"

enum { REGISTER = 32, WORD_BYTES = 4 };

static const char head[] = "#include <stddef.h>\n"
                           "#include <stdint.h>\n"
                           "#include <string.h>\n\n"
                           "#if defined(__CUDACC__)\n"
                           "#define FO_FN static __host__ __device__ __forceinline__\n"
                           "#else\n"
                           "#define FO_FN static inline\n"
                           "#endif\n\n";

/* Products and sums of two bf16 at once. On the host every one of them is exact in binary32 (or overflows). */
static void add_arithmetic(const char *name, char operator, const char * instruction, struct text *out)
{
    text_add(out,
             "FO_FN uint32_t %s(uint32_t a, uint32_t b)\n{\n"
             "#if defined(__CUDA_ARCH__)\n"
             "    uint32_t d;\n"
             "    asm(\"%s %%0, %%1, %%2;\" : \"=r\"(d) : \"r\"(a), \"r\"(b));\n"
             "    return d;\n"
             "#else\n"
             "    uint32_t d = 0;\n"
             "    for (int half = 0; half < 32; half += 16) {\n"
             "        uint32_t x = a >> half << 16, y = b >> half << 16, z;\n"
             "        float f, g;\n"
             "        memcpy(&f, &x, 4);\n"
             "        memcpy(&g, &y, 4);\n"
             "        f = f %c g;\n"
             "        memcpy(&z, &f, 4);\n"
             "        d |= (f != f ? 0x7fffu : z >> 16) << half;\n"
             "    }\n"
             "    return d;\n"
             "#endif\n}\n\n",
             name, instruction, operator);
}

/* An aligned load of `width` bytes into words. */
static void add_read(uint32_t width, struct text *out)
{
    static const char *const type[] = {
        [1] = "uint8_t", [2] = "uint16_t", [4] = "uint32_t", [8] = "uint2", [16] = "uint4"};
    text_add(out, "FO_FN void fo_read%u(uint32_t *w, const uint8_t *p)\n{\n#if defined(__CUDA_ARCH__)\n", width);
    if (width <= WORD_BYTES)
        text_add(out, "    *w = *(const %s *)p;\n", type[width]);
    else
        text_add(out, "    %s v = *(const %s *)p;\n    w[0] = v.x;\n    w[1] = v.y;\n%s", type[width], type[width],
                 width > 8 ? "    w[2] = v.z;\n    w[3] = v.w;\n" : "");
    text_add(out, "#else\n");
    if (width < WORD_BYTES)
        text_add(out, "    %s v;\n    memcpy(&v, p, %uu);\n    *w = v;\n", type[width], width);
    else
        text_add(out, "    memcpy(w, p, %uu);\n", width);
    text_add(out, "#endif\n}\n\n");
}

static void add_reads(const struct derived *d, struct text *out)
{
    uint32_t widths = d->direct.values.width;
    if (d->direct.packing.scaled)
        widths |= d->direct.scales.width;
    if (d->preswizzled) {
        widths |= d->wide.values.width;
        if (d->wide.packing.scaled)
            widths |= d->wide.scales.width;
    }
    for (uint32_t width = 1; width <= PLAN_WIDTH; width *= 2)
        if (widths & width)
            add_read(width, out);
}

/* One register of codes, their bits in place, to elements of A. */
static void add_finish(const struct derived *d, struct text *out)
{
    const struct conversion *c = &d->conversion;
    if (c->multiplies)
        add_arithmetic("fo_mul2", '*', "mul.rn.bf16x2", out);
    if (c->adds)
        add_arithmetic("fo_add2", '+', "add.rn.bf16x2", out);
    if (c->scaled)
        text_add(out, "/* Both halves 2^(s - 127) in bf16: 0 is the subnormal 2^-127, 255 is NaN. */\n"
                      "FO_FN uint32_t fo_scale(uint32_t s)\n{\n"
                      "    return (s == 255u ? 0x7fffu : s == 0 ? 0x0040u : s << 7) * 0x00010001u;\n}\n\n");
    text_add(out, "/* %s, each bit in its place, to %s. */\nFO_FN uint32_t fo_finish(uint32_t y%s)\n{\n%s",
             d->direct.packing.code, d->tile.op.family->a, c->scaled ? ", uint32_t scale" : "", c->finish);
    if (c->scaled)
        text_add(out, "    y = fo_mul2(y, fo_scale(scale));\n");
    text_add(out, "    return y%s;\n}\n\n", c->upper ? " & 0xffff0000u" : "");
}

static void add_sum(const char *name, uint32_t offset, struct text *out)
{
    if (offset)
        text_add(out, "%s + %uu", name, offset);
    else
        text_add(out, "%s", name);
}

static void add_inside(struct offset o, struct text *out)
{
    add_sum("n", o.n, out);
    text_add(out, " < w->N && ");
    add_sum("k", o.k, out);
    text_add(out, " < w->K");
}

static uint32_t words_of(const struct plan *p)
{
    return p->width > WORD_BYTES ? p->width / WORD_BYTES : 1;
}

static void add_loads(const struct plan *p, const char *prefix, const char *kind, const char *variable,
                      struct text *out)
{
    text_add(out, "    uint32_t %s[%u] = {0};\n", variable, p->loads * words_of(p));
    for (uint32_t i = 0; i < p->loads; i++) {
        text_add(out, "    if (");
        add_inside(p->load[i].least, out);
        text_add(out, ")\n        fo_read%u(%s + %u, (const uint8_t *)w->%ss + %s_%s_offset(", p->width, variable,
                 i * words_of(p), kind, prefix, kind);
        add_sum("n", p->load[i].address.n, out);
        text_add(out, ", ");
        add_sum("k", p->load[i].address.k, out);
        text_add(out, ", w->%s_pitch));\n", kind);
    }
}

/* The bits of the codes of one register, from where they were loaded to where the element wants them: bits of one word
 * that go the same way go together. */
static void add_gather(const struct derived *d, const struct loader *l, uint32_t first, struct text *out)
{
    const struct plan *p = &l->values;
    const struct conversion *c = &d->conversion;
    int terms = 0;
    for (uint32_t word = 0; word < p->loads * words_of(p); word++)
        for (int shift = REGISTER - 1; shift > -REGISTER; shift--) {
            uint32_t mask = 0;
            for (uint32_t part = 0; part < d->tile.parts; part++)
                for (uint32_t b = 0; b < c->bits; b++) {
                    uint32_t slot = first + part, at = p->bit[slot][b];
                    uint32_t to = part * c->part_bits + c->to[b];
                    if (p->at[slot] * words_of(p) + at / REGISTER == word && (int)(at % REGISTER) + shift == (int)to)
                        mask |= 1u << to;
                }
            if (mask == 0)
                continue;
            text_add(out, "%s(v[%u]", terms++ ? " |\n                        " : "", word);
            if (shift != 0)
                text_add(out, " %s %d", shift > 0 ? "<<" : ">>", shift > 0 ? shift : -shift);
            text_add(out, " & 0x%08xu)", mask);
        }
}

static void add_registers(const struct derived *d, const struct loader *l, const char *prefix, struct text *out)
{
    const struct plan *p = &l->values, *q = &l->scales;
    for (uint32_t i = 0; p->shifted && i < p->loads; i++) {
        if (l->packing.values.word_bits)
            text_add(out, "    v[%u] = %s_value_word(v[%u]) >> %s_value_shift(", i, prefix, i, prefix);
        else
            text_add(out, "    v[%u] >>= %s_value_shift(", i, prefix);
        add_sum("n", p->load[i].address.n, out);
        text_add(out, ", ");
        add_sum("k", p->load[i].address.k, out);
        text_add(out, ");\n");
    }
    for (uint32_t step = 0; step < p->steps; step++)
        for (uint32_t r = 0; r < d->tile.regs; r++) {
            uint32_t slot = (step * d->tile.regs + r) * d->tile.parts;
            text_add(out, "    a[%u][%u] = ", step, r);
            add_inside(tile_slot(&d->tile, slot), out);
            text_add(out, " ? fo_finish(");
            add_gather(d, l, slot, out);
            if (d->conversion.scaled) {
                uint32_t at = q->bit[slot][0];
                text_add(out, ", s[%u]", q->at[slot] * words_of(q) + at / REGISTER);
                if (at % REGISTER)
                    text_add(out, " >> %u", at % REGISTER);
                text_add(out, " & 0xffu");
            }
            text_add(out, ") : 0;\n");
        }
}

void emit_needs(const struct loader *l, const char *before, const char *after, struct text *out)
{
    if (l->n_multiple == 1 && l->k_multiple == 1)
        return;
    text_add(out, "%s", before);
    if (l->n_multiple > 1)
        text_add(out, "N %% %u == 0%s", l->n_multiple, l->k_multiple > 1 ? ", " : "");
    if (l->k_multiple > 1)
        text_add(out, "K %% %u == 0", l->k_multiple);
    text_add(out, "%s", after);
}

static void add_loader(const struct derived *d, const struct loader *l, const char *prefix, const char *macro,
                       struct text *out)
{
    static const char *const thread[] = {"thread", NULL, NULL};
    struct layout map = d->tile.fragment;
    emit_address(&l->packing.values, &l->values, prefix, "value", d->preswizzled, out);
    if (l->packing.scaled)
        emit_address(&l->packing.scales, &l->scales, prefix, "scale", d->preswizzled, out);
    text_add(
        out,
        "#define %s_STEPS %uu\n"
        "/* The registers of A of the next %s_STEPS steps of K, for `thread` (0..127) of the warpgroup that has rows\n"
        " * n0 .. n0+63; k0 is a multiple of %u. What lies beyond N or K reads as 0.",
        macro, l->values.steps, macro, l->values.steps * d->tile.step_k);
    emit_needs(l, " needs: ", ".", out);
    text_add(out,
             " */\nFO_FN void %s_load_a(const struct fo_weights *w, uint32_t n0, uint32_t k0, uint32_t thread,\n"
             "                     uint32_t a[%s_STEPS][%u])\n{\n    uint32_t n = n0 + (",
             prefix, macro, d->tile.regs);
    emit_terms(&map, 0, 0, thread, out);
    text_add(out, ");\n    uint32_t k = k0 + (");
    emit_terms(&map, 1, 0, thread, out);
    text_add(out, ");\n");
    add_loads(&l->values, prefix, "value", "v", out);
    if (l->packing.scaled)
        add_loads(&l->scales, prefix, "scale", "s", out);
    add_registers(d, l, prefix, out);
    text_add(out, "}\n\n");
}

/* Bit by bit, once: this is not the fast path. */
static void add_preswizzle(const char *kind, uint32_t bits, uint32_t share, struct text *out)
{
    text_add(out,
             "/* Stores the %ss anew. out: fo_pre_%s_bytes bytes. in_pitch: as stored now. */\n"
             "static inline void fo_preswizzle_%ss(const uint8_t *in, size_t in_pitch, uint8_t *out, uint32_t N, "
             "uint32_t K)\n{\n"
             "    size_t pitch = fo_pre_%s_pitch(N, K);\n"
             "    memset(out, 0, fo_pre_%s_bytes(N, K, pitch));\n"
             "    for (uint32_t n = 0; n < N; n++)\n"
             "        for (uint32_t k = 0; k < K; k += %uu)\n"
             "            for (uint32_t b = 0; b < %uu; b++) {\n"
             "                size_t from = fo_%s_bit(n, k, b, in_pitch), to = fo_pre_%s_bit(n, k, b, pitch);\n"
             "                out[to / 8] = (uint8_t)(out[to / 8] | (in[from / 8] >> from %% 8 & 1) << to %% 8);\n"
             "            }\n}\n\n",
             kind, kind, kind, kind, kind, share, bits, kind, kind);
}

void emit_c(const struct derived *d, struct text *out)
{
    text_add(
        out,
        "/* A of %s from %s: %u-byte loads, %u of K a window.\n"
        " * Weights of one matrix [N,K]; values and scales begin at addresses that are multiples of 16, and pitches "
        "are\n * multiples of the width of their loads. Little endian. */\n%s",
        d->op, d->from, d->direct.values.width, d->direct.values.steps * d->tile.step_k, head);
    text_add(out, "struct fo_weights {\n    uint32_t N, K;\n    const void *values;\n    size_t value_pitch; /* "
                  "fo_value_pitch(N, K), or what a padded matrix has */\n");
    if (d->direct.packing.scaled)
        text_add(out, "    const void *scales;\n    size_t scale_pitch;\n");
    text_add(out, "};\n#define FO_STEP_K %uu\n", d->tile.step_k);
    if (d->direct.packing.scaled)
        text_add(out, "#define FO_SCALE_COLUMNS %uu\n", d->direct.packing.scales.share);
    text_add(out, "\n");
    add_reads(d, out);
    add_finish(d, out);
    add_loader(d, &d->direct, "fo", "FO", out);
    if (!d->preswizzled)
        return;
    text_add(out, "/* ---- the same from weights stored anew: %u-byte loads ---- */\n\n", d->wide.values.width);
    add_loader(d, &d->wide, "fo_pre", "FO_PRE", out);
    add_preswizzle("value", d->direct.packing.values.bits, 1, out);
    if (d->direct.packing.scaled)
        add_preswizzle("scale", d->direct.packing.scales.bits, d->direct.packing.scales.share, out);
}
