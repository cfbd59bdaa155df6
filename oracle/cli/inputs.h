/* inputs: the options with which probe and emit are told what to ask. */
#ifndef FO_ORACLE_CLI_INPUTS_H
#define FO_ORACLE_CLI_INPUTS_H

#include <argp.h>

#include "oracle/fragoracle.h"

struct inputs {
    uint64_t shape[3]; /* P, N, K; zeros for the default */
    struct fo_weights_options weights;
    int historical;
};
/* The child parser: {&inputs_argp, 0, NULL, 0}; its input is a struct inputs. */
extern const struct argp inputs_argp;

#endif
