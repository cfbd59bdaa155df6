#include "oracle/cli/inputs.h"

#include "oracle/cli/command.h"

enum { KEY_SHAPE = 0x3000, KEY_WEIGHTS, KEY_TENSOR, KEY_EXPERT, KEY_SEED, KEY_HISTORICAL };

static error_t inputs_parse(int key, char *argument, struct argp_state *state)
{
    struct inputs *in = state->input;
    switch (key) {
    case KEY_SHAPE:
        command_shape(state, argument, in->shape);
        return 0;
    case KEY_WEIGHTS:
        in->weights.kind = argument;
        return 0;
    case KEY_TENSOR:
        in->weights.tensor = argument;
        return 0;
    case KEY_EXPERT:
        in->weights.expert = command_number(state, "--expert", argument);
        return 0;
    case KEY_SEED:
        in->weights.seed = command_number(state, "--seed", argument);
        return 0;
    case KEY_HISTORICAL:
        in->historical = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option inputs_options[] = {
    {"shape", KEY_SHAPE, "P,N,K", 0, "Tokens, features, reduction (default 80,208,192; historical: 32,128,128)", 0},
    {"weights", KEY_WEIGHTS, "KIND", 0,
     "sample (default): real weights that come with the program, random beyond their shape; random; adversarial; or a "
     ".safetensors file",
     0},
    {"tensor", KEY_TENSOR, "STEM", 0,
     "Tensor of the sample or the file, without _blocks, _scales (a file needs it; the sample takes what is large "
     "enough)",
     0},
    {"expert", KEY_EXPERT, "E", 0, "First of at most 8 experts of the sample or the file (default 0)", 0},
    {"seed", KEY_SEED, "S", 0, "Of random, adversarial and special weights (default 0)", 0},
    {"historical", KEY_HISTORICAL, NULL, 0, "The seed's case: one expert, one pass, x[p][p] = 1", 0},
    {0}};

const struct argp inputs_argp = {.options = inputs_options, .parser = inputs_parse};
