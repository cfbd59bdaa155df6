#include "oracle/cli/command.h"

typedef struct fo_mutate_options options_t;

static const struct command_option mutate_options[] = {
    {"run", "CMD", OPTION_TEXT, offsetof(options_t, run), 0,
     "The test, for sh: {} and $FRAGORACLE_MUTANT name the PTX file to test, exit status 0 passes (default: list the "
     "mutants)"},
    {"output", "FILE", OPTION_TEXT, offsetof(options_t, output), 0,
     "A file that CMD writes; a mutant that leaves its bytes as they were is undecided. It is removed before each run"},
    {"only", "N", OPTION_TEXT, offsetof(options_t, only), 0, "Only this mutant: OPERATOR:INDEX, or its number"},
    {"keep", "DIR", OPTION_TEXT, offsetof(options_t, keep), 0, "Keep the mutants there as OPERATOR-INDEX.ptx"},
    {"count", "COUNT", OPTION_POSITIVE, offsetof(options_t, count), 0,
     "How many mutants at most, of every operator in turn (default 100)"},
    {"seed", "S", OPTION_NUMBER, offsetof(options_t, seed), 0, "Of the choice among them (default 0)"},
    {"timeout", "SECONDS", OPTION_POSITIVE, offsetof(options_t, timeout), 0,
     "A run of CMD that takes longer is a hang, and killed (default: ten times the unmutated one, at least 10)"},
    {"ptxas", "PATH", OPTION_TEXT, offsetof(options_t, ptxas), 0,
     "Assemble every mutant with this ptxas; one that it refuses is not counted (default: the ptxas on PATH, if there "
     "is one); none: do not"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    options_t options = *(const options_t *)o;
    options.ptxas = command_ptxas(options.ptxas);
    options.progress = command_progress;
    return fo_mutate(&options, answer, error);
}

const struct command command_mutate = {
    .name = "mutate",
    .does = "change a PTX module in small ways and see which of them its test notices",
    .doc =
        "Makes mutants of a PTX module (registers of A exchanged, descriptors moved, a fence or a wait dropped, ...), "
        "runs CMD on each and reports those that it did not notice.",
    .options = mutate_options,
    .json_out = 1,
    .operands = {"KERNEL.ptx"},
    .operand_offset = {offsetof(options_t, in)},
    .operands_needed = 1,
    .size = sizeof(options_t),
    .ask = ask,
};
