#include "oracle/cli/command.h"

static int ask(const void *options, struct fo_answer *answer, struct fo_error *error)
{
    (void)options;
    return fo_list(answer, error);
}

const struct command command_list = {
    .name = "list",
    .does = "operations, operands, subjects, probes, faults, devices",
    .doc = "Lists operations, operands, subjects, probes, faults and devices.",
    .json_out = 1,
    .ask = ask,
};
