#include "oracle/cli/command.h"

typedef struct fo_pack_options options_t;

static const struct command_option options[] = {
    {"weights", "FILE", OPTION_TEXT, offsetof(options_t, weights), 1,
     "A .safetensors file with STEM_blocks and STEM_scales (needed)"},
    {"tensor", "STEM", OPTION_TEXT, offsetof(options_t, tensor), 1,
     "The name of the tensor without _blocks, _scales (needed)"},
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 1,
     "Write values.npy, scales.npy and layout.json there (needed)"},
    {"pad-m", "ROWS", OPTION_POSITIVE, offsetof(options_t, pad_m), 0,
     "Pad the rows of the values to a multiple of ROWS (default 16)"},
    {"pad-k", "BYTES", OPTION_POSITIVE, offsetof(options_t, pad_k), 0,
     "Pad the bytes of a row of values to a multiple of BYTES (default 32)"},
    {"num-warps", "4|8", OPTION_INT, offsetof(options_t, num_warps), 0,
     "Swizzle the scales for so many warps (default 4)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_pack(o, answer, error);
}

const struct command command_pack = {
    .name = "pack",
    .does = "checkpoint tensors to the layout of the kernel",
    .doc = "Packs MXFP4 checkpoint tensors of all experts to the layout that the Hopper kernels read: values swizzled "
           "and bit-packed, scales swizzled. K is a multiple of 32, N is anything.",
    .options = options,
    .size = sizeof(options_t),
    .ask = ask,
};
