#include "oracle/answer/stages.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/arithmetic.h"
#include "oracle/answer/contract.h"
#include "oracle/answer/decode.h"
#include "oracle/answer/heatmap.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "reference/fragment.h"
#include "reference/mxfp4.h"
#include "reference/pack_bits.h"

enum { FORMATS, LAYOUTS, ARITHMETIC, CAPTURES, DECODE, FRAGMENT, INFERENCE, IDENTITY, ROUTING, PLANTED, PRODUCT };
enum { EXACT_OUTPUTS = 200000, HARDWARE_OUTPUTS = 1000000, PATH_SIZE = 4096 };

static void stage_say(struct stage_result *r, uint64_t wrong, const char *evidence)
{
    r->verdict = wrong ? FO_DIFFERS : FO_CONFORMS;
    snprintf(r->evidence, sizeof r->evidence, "%s", evidence);
}

/* ---- formats ---------------------------------------------------------------------------------------------------- */

/* All 4096 pairs of code and scale against ldexp, rounded to bf16 by hand; all 65,536 bf16 patterns there and back. */
static enum status stage_formats(const struct check *c, struct stage_result *r, struct error *e)
{
    static const double magnitude[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    uint64_t wrong = 0;
    (void)c;
    (void)e;
    for (int code = 0; code < 16; code++)
        for (int scale = 0; scale < 256; scale++) {
            struct bf16 got = mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)scale});
            double want = ldexp(magnitude[code & 7], scale - 127);
            bool nan = scale == 255, inf = !nan && want > 0x1.fep127;
            double found = bf16_decode(got);
            bool ok = nan ? bf16_is_nan(got) : inf ? isinf(found) : fabs(found) == want;
            wrong += !ok || (!nan && !signbit(found) != !(code & 8));
        }
    for (uint32_t bits = 0; bits < 65536; bits++) {
        struct bf16 x = {(uint16_t)bits}, back = bf16_encode(bf16_decode(x));
        wrong += bf16_is_nan(x) ? back.bits != BF16_NAN : back.bits != bits;
    }
    stage_say(r, wrong, "exhaustive");
    snprintf(r->counted, sizeof r->counted, "4096 of code x scale, 65536 bf16 patterns");
    if (wrong)
        snprintf(r->detail, sizeof r->detail, "%" PRIu64 " patterns decode to something else than ldexp says", wrong);
    return STATUS_OK;
}

/* ---- layouts ---------------------------------------------------------------------------------------------------- */

static enum status fragments_bijective(uint64_t *maps, uint64_t *wrong, struct error *e)
{
    for (size_t f = 0; f < wgmma_family_count(); f++) {
        const struct wgmma_family *family = wgmma_family_at(f);
        for (int n = wgmma_next_n(family, 0); n; n = wgmma_next_n(family, n))
            for (int operand = FRAGMENT_A; operand <= FRAGMENT_D; operand++) {
                struct wgmma_op op = {family, n, WGMMA_RS};
                struct layout map;
                bool bijective = false;
                enum status s = fragment_map(&op, (enum fragment_operand)operand, &map, e);
                if (s == STATUS_OK)
                    s = layout_check(&map, &bijective, e);
                if (s != STATUS_OK)
                    return s;
                (*maps)++;
                *wrong += !bijective;
            }
    }
    return STATUS_OK;
}

/* Pack the weights and unpack them again; every byte must come back. */
static enum status weights_round_trip(const struct weights *w, int warps, uint64_t *bytes, uint64_t *wrong,
                                      struct error *e)
{
    struct hopper_layout l;
    enum status s = hopper_layout_init(&l, w->experts, w->N, w->K, 16, 32, warps, e);
    if (s != STATUS_OK)
        return s;
    size_t blocks = w->experts * w->N * w->K / 2, scales = blocks / 16;
    uint8_t *packed = malloc(hopper_layout_value_bytes(&l)), *packed_scales = malloc(hopper_layout_scale_bytes(&l));
    uint8_t *back = malloc(blocks), *scales_back = malloc(scales);
    if (packed && packed_scales && back && scales_back) {
        hopper_layout_forward(&l, w, packed, packed_scales);
        s = hopper_layout_inverse(&l, packed, packed_scales, back, scales_back, e);
        for (size_t i = 0; s == STATUS_OK && i < blocks; i++)
            *wrong += back[i] != w->blocks[i];
        for (size_t i = 0; s == STATUS_OK && i < scales; i++)
            *wrong += scales_back[i] != w->scales[i];
        *bytes += blocks + scales;
    } else {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes of weights", blocks);
    }
    free(packed);
    free(packed_scales);
    free(back);
    free(scales_back);
    return s;
}

static enum status stage_layouts(const struct check *c, struct stage_result *r, struct error *e)
{
    struct fo_weights_options sample = {0};
    struct chosen_weights w;
    uint64_t maps = 0, wrong = 0, bytes = 0, words = 0;
    (void)c;
    for (uint32_t word = 0; word < 1u << 24; word++, words++)
        wrong += pack_bits_inverse(pack_bits_forward(word * 255u)) != word * 255u;
    enum status s = fragments_bijective(&maps, &wrong, e);
    if (s == STATUS_OK)
        s = chosen_weights_make(&sample, 0, 0, &w, e);
    if (s != STATUS_OK)
        return s;
    for (int warps = 4; s == STATUS_OK && warps <= 8; warps += 4)
        s = weights_round_trip(&w.w, warps, &bytes, &wrong, e);
    chosen_weights_free(&w);
    stage_say(r, wrong, "exhaustive");
    snprintf(r->counted, sizeof r->counted,
             "%" PRIu64 " fragment maps bijective, %" PRIu64 " packed words and %" PRIu64
             " weight bytes there and back",
             maps, words, bytes);
    if (wrong)
        snprintf(r->detail, sizeof r->detail, "%" PRIu64 " maps, words or bytes do not come back", wrong);
    return s;
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------- */

static void say_arithmetic(const struct arithmetic_result *a, struct stage_result *r)
{
    if (a->mismatches_all)
        snprintf(r->detail, sizeof r->detail, "%s", a->first);
}

static enum status stage_arithmetic(const struct check *c, struct stage_result *r, struct error *e)
{
    struct arithmetic_result a;
    enum status s = arithmetic_exact(EXACT_OUTPUTS, c->seed, &a, e);
    if (s != STATUS_OK)
        return s;
    stage_say(r, a.mismatches_all, "sampled");
    snprintf(r->counted, sizeof r->counted,
             "%" PRIu64 " fused sums in %d regimes against the big-integer rule and the proven bound, seed %" PRIu64,
             a.outputs_all, REGIME_COUNT, c->seed);
    say_arithmetic(&a, r);
    return STATUS_OK;
}

/* The committed capture of hardware always; fresh outputs where there is a GPU. */
static enum status stage_captures(const struct check *c, struct stage_result *r, struct error *e)
{
    char folder[PATH_SIZE];
    struct arithmetic_result replayed, fresh = {.first = ""};
    json_t *provenance = NULL;
    snprintf(folder, sizeof folder, "%s/captures/h100/wgmma.m64n8k16.f32.bf16.bf16.rs", artifacts_folder());
    enum status s = arithmetic_replay(folder, &replayed, &provenance, e);
    if (s != STATUS_OK)
        return s;
    bool hardware = c->machine.fidelity == FIDELITY_HARDWARE;
    const char *device = json_string_value(json_object_get(provenance, "device"));
    const char *fidelity = json_string_value(json_object_get(provenance, "fidelity"));
    if (hardware)
        s = arithmetic_compare(&c->machine, c->options->outputs ? c->options->outputs : HARDWARE_OUTPUTS, c->seed,
                               &fresh, e);
    if (s == STATUS_OK) {
        stage_say(r, replayed.mismatches_all + fresh.mismatches_all, hardware ? "replayed and measured" : "replayed");
        if (!fidelity || strcmp(fidelity, "hardware") != 0) {
            r->verdict = FO_UNDECIDED;
            snprintf(r->detail, sizeof r->detail, "%.400s: not captured on hardware", folder);
        }
        snprintf(r->counted, sizeof r->counted,
                 "%" PRIu64 " outputs captured on %.40s: %" PRIu64 " differ; %" PRIu64 " fresh ones here: %" PRIu64
                 " differ",
                 replayed.outputs_all, device ? device : "?", replayed.mismatches_all, fresh.outputs_all,
                 fresh.mismatches_all);
        say_arithmetic(&replayed, r);
        say_arithmetic(&fresh, r);
    }
    json_decref(provenance);
    return s;
}

/* ---- decode ----------------------------------------------------------------------------------------------------- */

static enum status stage_decode(const struct check *c, struct stage_result *r, struct error *e)
{
    struct fo_weights_options sample = {0};
    struct chosen_weights w;
    struct decode_result all = {0}, real = {0};
    enum status s = decode_exhaustive(&c->machine, c->seed, &all, e);
    if (s == STATUS_OK)
        s = chosen_weights_make(&sample, 0, 0, &w, e);
    if (s != STATUS_OK)
        return s;
    struct weights one = w.w;
    one.experts = 1;
    s = decode_weights(&c->machine, &one, &real, e);
    chosen_weights_free(&w);
    if (s != STATUS_OK)
        return s;
    stage_say(r, all.differing + real.differing, "exhaustive");
    snprintf(r->counted, sizeof r->counted,
             "%" PRIu64 " values of every byte, scale and step: %" PRIu64 " differ; %" PRIu64
             " of real weights: %" PRIu64 " differ",
             all.values, all.differing, real.values, real.differing);
    if (all.differing + real.differing)
        snprintf(r->detail, sizeof r->detail, "%s; repeat: fragoracle decode --on %s",
                 all.differing ? all.first : real.first, c->machine.name);
    return STATUS_OK;
}

/* ---- fragment --------------------------------------------------------------------------------------------------- */

static enum status fragment_picture(const struct check *c, const struct contract *contract, struct error *e)
{
    char path[PATH_MAX], name[32], title[160];
    if (!c->options->out)
        return STATUS_OK;
    enum status s = file_make_folder(c->options->out, e);
    if (s != STATUS_OK)
        return s;
    json_t *j = contract_json(contract);
    snprintf(name, sizeof name, "contract_%s.json", contract->operand);
    s = file_path(c->options->out, name, path, e);
    if (s == STATUS_OK)
        s = json_write(path, j, e);
    json_decref(j);
    snprintf(name, sizeof name, "fragment_%s.png", contract->operand);
    if (s == STATUS_OK)
        s = file_path(c->options->out, name, path, e);
    snprintf(title, sizeof title, "%s  %s  (%s)", contract->op, contract->operand,
             contract->locked ? "locked" : "not locked");
    /* Only a bijection can be drawn. Whatever else was measured is in the JSON, and the verdict says why. */
    bool bijective = false;
    if (s == STATUS_OK && contract->present[CONTRACT_ONEHOT])
        s = layout_check(&contract->map[CONTRACT_ONEHOT], &bijective, e);
    return s == STATUS_OK && bijective ? heatmap_fragment(path, &contract->map[CONTRACT_ONEHOT], title, e) : s;
}

/* Why a contract does not lock; the first one is remembered. */
static uint64_t refuse_unlocked(const struct check *c, const struct contract *contract, const char *which,
                                struct stage_result *r)
{
    if (!contract->locked && r->detail[0] == '\0')
        snprintf(r->detail, sizeof r->detail,
                 "%s contract of %s does not lock: %s; repeat: fragoracle capture %s %s --method all --on %s", which,
                 contract->operand, contract->first[0] ? contract->first : "not every source was measured on hardware",
                 contract->op, contract->operand, c->machine.name);
    return !contract->locked;
}

/* The committed contract is judged anew against the formula; on a GPU the map is measured again as well. */
static enum status stage_fragment(const struct check *c, struct stage_result *r, struct error *e)
{
    static const char *const operands[] = {"A", "D"};
    bool hardware = c->machine.fidelity == FIDELITY_HARDWARE;
    uint64_t wrong = 0, slots = 0, locked = 0;
    char path[PATH_SIZE];
    for (int i = 0; i < 2; i++) {
        struct contract committed, measured;
        snprintf(path, sizeof path, "%s/contracts/wgmma.m64n64k16.f32.bf16.bf16.rs.%s.json", artifacts_folder(),
                 operands[i]);
        enum status s = contract_read(path, &committed, e);
        if (s != STATUS_OK)
            return s;
        slots += committed.agree[CONTRACT_ONEHOT];
        locked += committed.locked;
        wrong += refuse_unlocked(c, &committed, "the committed", r);
        s = hardware ? STATUS_OK : fragment_picture(c, &committed, e);
        contract_free(&committed);
        if (s == STATUS_OK && hardware) {
            s = contract_measure(&c->machine, "wgmma.m64n64k16.f32.bf16.bf16.rs", operands[i], "all", &measured, e);
            if (s != STATUS_OK)
                return s;
            wrong += refuse_unlocked(c, &measured, "the measured", r);
            s = fragment_picture(c, &measured, e);
            contract_free(&measured);
        }
        if (s != STATUS_OK)
            return s;
    }
    stage_say(r, wrong, hardware ? "measured" : "replayed");
    snprintf(r->counted, sizeof r->counted,
             "A and D of m64n64k16: %" PRIu64 " slots by one-hot wgmma, %" PRIu64 " of 2 committed contracts lock%s",
             slots, locked, hardware ? ", measured again here" : "");
    return STATUS_OK;
}

const struct stage check_stages[STAGE_COUNT] = {
    {"formats", "Do the bit patterns mean what the specification says?", 0, stage_formats},
    {"layouts", "Is every layout a bijection that comes back?", 0, stage_layouts},
    {"arithmetic", "Is the fused sum the rule, and inside the bound?", 0, stage_arithmetic},
    {"captures", "Does the model equal what hardware computed?", 1u << ARITHMETIC, stage_captures},
    {"decode", "Does the kernel's decode put every value in its slot?", 1u << FORMATS | 1u << LAYOUTS, stage_decode},
    {"fragment", "Does the measured fragment order equal the formula?", 1u << LAYOUTS, stage_fragment},
    {"inference", "Do layouts come back from the maps of their outputs?", 1u << LAYOUTS, stage_inference},
    {"identity", "Does the subject obey the order, everywhere?", 1u << CAPTURES | 1u << DECODE | 1u << FRAGMENT,
     stage_identity},
    {"routing", "Are bad segments reported, and no row left unwritten?", 1u << CAPTURES, stage_routing},
    {"planted", "Is every planted fault found, and every clean twin silent?",
     1u << CAPTURES | 1u << FRAGMENT | 1u << INFERENCE, stage_planted},
    {"product", "Is the whole product right, at real shapes?", 1u << CAPTURES | 1u << DECODE | 1u << FRAGMENT,
     stage_product},
};
