#include <string.h>

#include "oracle/cli/command.h"

enum { KEY_WEIGHTS = 0x2000, KEY_TENSOR, KEY_FOLDER, KEY_PAD_M, KEY_PAD_K, KEY_WARPS };

struct input {
    struct common common;
    struct fo_pack_options o;
};

static uint64_t padding(struct argp_state *state, const char *option, const char *text)
{
    uint64_t value = command_number(state, option, text);
    if (value == 0)
        argp_error(state, "%s 0: a padding is a positive number", option);
    return value;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case KEY_WEIGHTS:
        in->o.weights = argument;
        return 0;
    case KEY_TENSOR:
        in->o.tensor = argument;
        return 0;
    case KEY_FOLDER:
        in->o.out = argument;
        return 0;
    case KEY_PAD_M:
        in->o.pad_m = padding(state, "--pad-m", argument);
        return 0;
    case KEY_PAD_K:
        in->o.pad_k = padding(state, "--pad-k", argument);
        return 0;
    case KEY_WARPS:
        if (strcmp(argument, "4") != 0 && strcmp(argument, "8") != 0)
            argp_error(state, "--num-warps '%s' is neither 4 nor 8", argument);
        in->o.num_warps = argument[0] - '0';
        return 0;
    case ARGP_KEY_END:
        if (!in->o.weights || !in->o.tensor || !in->o.out)
            argp_error(state, "--weights, --tensor and --out are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_pack(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"weights", KEY_WEIGHTS, "FILE", 0, "A .safetensors file with STEM_blocks and STEM_scales (needed)", 0},
        {"tensor", KEY_TENSOR, "STEM", 0, "The name of the tensor without _blocks, _scales (needed)", 0},
        {"out", KEY_FOLDER, "DIR", 0, "Write values.npy, scales.npy and layout.json there (needed)", 0},
        {"pad-m", KEY_PAD_M, "ROWS", 0, "Pad the rows of the values to a multiple of ROWS (default 16)", 0},
        {"pad-k", KEY_PAD_K, "BYTES", 0, "Pad the bytes of a row of values to a multiple of BYTES (default 32)", 0},
        {"num-warps", KEY_WARPS, "4|8", 0, "Swizzle the scales for so many warps (default 4)", 0},
        {0}};
    static const struct argp_child children[] = {{&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Packs MXFP4 checkpoint tensors of all experts to the layout that the Hopper kernels read: values swizzled "
            "and bit-packed, scales swizzled. K is a multiple of 32, N is anything.",
        .children = children,
    };
    struct input in = {0};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &in);
    return command_answer(&in.common, fo_pack(&in.o, &answer, &error), &answer, &error);
}
