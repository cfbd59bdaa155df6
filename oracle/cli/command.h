/* command: a command of the tool as data. Each cmd_*.c states its options as a table; command.c parses them with argp
 * into the option struct of the public header, asks the question, prints the answer and returns the exit status. */
#ifndef FO_ORACLE_CLI_COMMAND_H
#define FO_ORACLE_CLI_COMMAND_H

#include <stddef.h>

#include "oracle/fragoracle.h"

enum { EXIT_CONFORMS = 0, EXIT_DIFFERS = 1, EXIT_TROUBLE = 2, EXIT_BISECT_SKIP = 125 };

enum option_kind {
    OPTION_TEXT,     /* const char * */
    OPTION_NUMBER,   /* uint64_t */
    OPTION_INDEX,    /* int64_t, not negative */
    OPTION_POSITIVE, /* uint64_t, above 0 */
    OPTION_INT,      /* int, above 0 */
    OPTION_FLAG,     /* int, set to 1; takes no argument */
    OPTION_SHAPE     /* three uint64_t in a row: P,N,K */
};

struct command_option {
    const char *name, *argument; /* argument: how --help calls it */
    enum option_kind kind;
    size_t offset; /* of the member in the option struct */
    int needed;
    const char *help; /* states the default */
};

enum { COMMAND_OPERANDS = 2 };

struct command {
    const char *name, *does; /* a line of `fragoracle --help` */
    const char *doc;
    const struct command_option *options;    /* up to one whose name is NULL; NULL for none */
    const char *operands[COMMAND_OPERANDS];  /* names of positional arguments, NULL for none */
    size_t operand_offset[COMMAND_OPERANDS]; /* const char * members */
    int operands_needed;
    int json_out;         /* --out FILE takes the JSON answer; 0: the command has an --out of its own */
    char short_out;       /* one letter that says the same as that --out; 0 for none */
    const void *defaults; /* an option struct */
    size_t size;          /* of it */
    int (*ask)(const void *options, struct fo_answer *answer, struct fo_error *error);
};

/* Returns the exit status. Trouble is argp_err_exit_status: EXIT_TROUBLE, or EXIT_BISECT_SKIP under --bisect. */
int command_run(const struct command *c, int argc, char **argv);
/* What --ptxas means: the ptxas on PATH, if there is one, where it was not given; NULL for none. */
const char *command_ptxas(const char *given);
/* Shows progress lines on a terminal only. */
void command_progress(void *context, const char *line);

/* The options that say which inputs a probe gets, at the offsets of struct S (fo_probe_options, fo_emit_options). */
#define COMMAND_INPUTS(S)                                                                                              \
    {"shape",        "P,N,K", OPTION_SHAPE,                                                                            \
     offsetof(S, P), 0,       "Tokens, features, reduction (default 80,208,192; historical: 32,128,128)"},             \
        {"weights",                                                                                                    \
         "KIND",                                                                                                       \
         OPTION_TEXT,                                                                                                  \
         offsetof(S, weights.kind),                                                                                    \
         0,                                                                                                            \
         "sample (default): real weights that come with the program, random beyond their shape; random; adversarial; " \
         "or a .safetensors file"},                                                                                    \
        {"tensor",                                                                                                     \
         "STEM",                                                                                                       \
         OPTION_TEXT,                                                                                                  \
         offsetof(S, weights.tensor),                                                                                  \
         0,                                                                                                            \
         "Tensor of the sample or the file, without _blocks, _scales (a file needs it; the sample takes what is "      \
         "large enough)"},                                                                                             \
        {"expert",                                                                                                     \
         "E",                                                                                                          \
         OPTION_NUMBER,                                                                                                \
         offsetof(S, weights.expert),                                                                                  \
         0,                                                                                                            \
         "First of at most 8 experts of the sample or the file (default 0)"},                                          \
        {"seed",                                                                                                       \
         "S",                                                                                                          \
         OPTION_NUMBER,                                                                                                \
         offsetof(S, weights.seed),                                                                                    \
         0,                                                                                                            \
         "Of random, adversarial and special weights (default 0)"},                                                    \
    {                                                                                                                  \
        "historical", NULL, OPTION_FLAG, offsetof(S, historical), 0,                                                   \
            "The seed's case: one expert, one pass, x[p][p] = 1"                                                       \
    }

#define COMMAND_ON(S)                                                                                                  \
    {                                                                                                                  \
        "on", "auto|gpu|model", OPTION_TEXT, offsetof(S, on), 0,                                                       \
            "Where (default auto: the GPU if there is one, else the bit-exact model)"                                  \
    }

extern const struct command command_list, command_map, command_capture, command_decode, command_pack, command_unpack,
    command_probe, command_emit, command_score, command_tap, command_infer, command_diagnose, command_derive,
    command_mutate, command_check, command_mma;

#endif
