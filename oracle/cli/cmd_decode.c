#include "oracle/cli/command.h"

typedef struct fo_decode_options options_t;

static const options_t defaults = {.seed = 1};

static const struct command_option options[] = {
    COMMAND_ON(options_t),
    {"weights", "FILE", OPTION_TEXT, offsetof(options_t, weights), 0,
     "A .safetensors file; without it the contract is exhaustive"},
    {"tensor", "STEM", OPTION_TEXT, offsetof(options_t, tensor), 0,
     "The name of the tensor without _blocks, _scales (with --weights)"},
    {"expert", "E", OPTION_NUMBER, offsetof(options_t, expert), 0, "Expert of the tensor (default 0)"},
    {"seed", "SEED", OPTION_NUMBER, offsetof(options_t, seed), 0, "Seed of the random backgrounds (default 1)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_decode(o, answer, error);
}

const struct command command_decode = {
    .name = "decode",
    .does = "the decode contract, exhaustive or over real weights",
    .doc = "The decode contract: does the kernel's decode put every value into its slot of the A fragment?",
    .options = options,
    .json_out = 1,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
