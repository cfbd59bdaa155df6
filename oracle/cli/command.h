/* command: what the commands of the tool share. A command parses its options with argp, asks one question of the public
 * header, and hands the answer to command_answer. */
#ifndef FO_ORACLE_CLI_COMMAND_H
#define FO_ORACLE_CLI_COMMAND_H

#include <argp.h>

#include "oracle/fragoracle.h"

enum { EXIT_CONFORMS = 0, EXIT_DIFFERS = 1, EXIT_TROUBLE = 2, EXIT_BISECT_SKIP = 125 };

/* Options that every command has: --json, --out FILE for the JSON where the command does not use --out itself,
 * --bisect. */
struct common {
    int json;
    const char *json_out;
};
/* The child parser of those options: {&common_argp, 0, NULL, 0}; its input is a struct common. */
extern const struct argp common_argp;
extern const struct argp common_argp_no_out;

/* Parse; on bad usage argp prints its lines and the process exits with argp_err_exit_status, which everywhere is the
 * status of trouble: EXIT_TROUBLE, or EXIT_BISECT_SKIP under --bisect. */
void command_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Prints the answer (text to stdout, or JSON to stdout or file and text to stderr) or the error line, frees the answer,
 * and returns the exit status. failed: what the public function returned. */
int command_answer(const struct common *c, int failed, struct fo_answer *answer, const struct fo_error *error);

/* A decimal number, or argp_error naming the option. */
uint64_t command_number(struct argp_state *state, const char *option, const char *text);
/* "P,N,K". */
void command_shape(struct argp_state *state, const char *text, uint64_t shape[3]);
/* Shows progress lines on a terminal only. */
void command_progress(void *context, const char *line);

int command_list(int argc, char **argv);
int command_map(int argc, char **argv);
int command_capture(int argc, char **argv);
int command_decode(int argc, char **argv);
int command_pack(int argc, char **argv);
int command_unpack(int argc, char **argv);
int command_probe(int argc, char **argv);
int command_emit(int argc, char **argv);
int command_score(int argc, char **argv);
int command_check(int argc, char **argv);

#endif
