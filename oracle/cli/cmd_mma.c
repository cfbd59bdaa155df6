#include "oracle/cli/command.h"

typedef struct fo_mma_options options_t;

static const struct command_option options[] = {
    {"a", "A.npy", OPTION_TEXT, offsetof(options_t, a), 1, "A [M,K]"},
    {"b", "B.npy", OPTION_TEXT, offsetof(options_t, b), 1, "B [K,N]"},
    {"c", "C.npy", OPTION_TEXT, offsetof(options_t, c), 0, "C [M,N] (default zeros)"},
    {"out", "D.npy", OPTION_TEXT, offsetof(options_t, out), 1, "Write D [M,N] here"},
    {"on", "model|gpu", OPTION_TEXT, offsetof(options_t, on), 0, "Where (default model)"},
    {"scale-d", "0|1", OPTION_TEXT, offsetof(options_t, scale_d), 0, "0: C takes no part (wgmma; default 1)"},
    {"neg-a", NULL, OPTION_FLAG, offsetof(options_t, neg_a), 0, "Negate A (wgmma of floats)"},
    {"neg-b", NULL, OPTION_FLAG, offsetof(options_t, neg_b), 0, "Negate B (wgmma of floats)"},
    {"trans-b", NULL, OPTION_FLAG, offsetof(options_t, trans_b), 0,
     "The instruction reads B MN-major (wgmma of 16-bit types); B.npy stays [K,N]"},
    {"sat", NULL, OPTION_FLAG, offsetof(options_t, sat), 0, "Integers saturate (default: they wrap)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_mma(o, answer, error);
}

const struct command command_mma = {
    .name = "mma",
    .does = "one tile of one operation of the tensor core, D = C + A*B",
    .doc =
        "One tile of one operation of the tensor core, D = C + A*B, wgmma or mma.sync. Arrays hold the bits of 8- and "
        "16-bit float types as u1 and u2, f32 and TF32 as f4, s8 as i1, u8 as u1, s32 as i4.",
    .options = options,
    .operands = {"OP"},
    .operand_offset = {offsetof(options_t, op)},
    .operands_needed = 1,
    .size = sizeof(options_t),
    .ask = ask,
};
