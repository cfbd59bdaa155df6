#include "oracle/cli/command.h"

typedef struct fo_infer_options options_t;

static const options_t defaults = {.site = -1};

static const struct command_option options[] = {
    {"capture", "FILE", OPTION_TEXT, offsetof(options_t, capture), 1,
     "A folder with tap.json, an image, or an .npy of registers: u4 [threads][registers], or that behind leading "
     "dimensions"},
    {"matrix", "A.npy", OPTION_TEXT, offsetof(options_t, matrix), 0,
     "What A should hold, [M,K]: u1, u2 or u4 bits of its type, or f4, which is rounded to it"},
    {"source", "CODING", OPTION_TEXT, offsetof(options_t, source), 0,
     "How the matrix is coded: plain (default), mxfp4 (u1 [M,K/2], even k in the low nibble), int4, int4-offset8"},
    {"scales", "S.npy", OPTION_TEXT, offsetof(options_t, scales), 0, "Block scales of mxfp4, u1 [M,K/32]"},
    {"weights", "FILE", OPTION_TEXT, offsetof(options_t, weights), 0, "Instead of a matrix: a .safetensors file"},
    {"tensor", "STEM", OPTION_TEXT, offsetof(options_t, tensor), 0, "Its tensor, without _blocks, _scales"},
    {"expert", "E", OPTION_NUMBER, offsetof(options_t, expert), 0, "Expert of that tensor (default 0)"},
    {"b", "B.npy", OPTION_TEXT, offsetof(options_t, b), 0, "What B should hold, [K,N]"},
    {"output", "O.npy", OPTION_TEXT, offsetof(options_t, output), 0,
     "What the kernel wrote, [M,N]: u2 (bf16 or f16 bits) or f4"},
    {"at", "M,K", OPTION_TEXT, offsetof(options_t, at), 0,
     "Element of A at which the tile of the first record begins (default: searched)"},
    {"ulps", "N", OPTION_NUMBER, offsetof(options_t, ulps), 0,
     "Values of A at most N units in the last place from what they should be count as right: for operands that were "
     "approximated (default 0: bit for bit)"},
    {"site", "N", OPTION_INDEX, offsetof(options_t, site), 0, "Only this site (default all)"},
    {"op", "OP", OPTION_TEXT, offsetof(options_t, op), 0, "Operation of an .npy of registers"},
    {"operand", "A|D", OPTION_TEXT, offsetof(options_t, operand), 0, "Its operand"},
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 0, "Write infer.json and pictures of wrong maps there"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_infer(o, answer, error);
}

const struct command command_infer = {
    .name = "infer",
    .does = "judge a capture: which element does each slot hold, and where does it go wrong",
    .doc = "Judges a capture of a running kernel, site by site: A, the descriptors, the product, the output.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
