/* contract: a fragment map with its provenance, measured and held against the published formula.
 *
 * Sources of the A map of wgmma.m64n64k16.f32.bf16.bf16.rs:
 *   spec      the formula of reference/fragment.h
 *   loader    plain shared loads in the canonical distribution: the formula replayed, a check of the loader, not
 * evidence ldmatrix  the hardware distributes an 8x8 matrix: independent evidence onehot    one A slot set to 1, the
 * tensor core says which row and column it is: independent evidence; D's own map is measured first and one full product
 * closes the chain. A contract is locked when spec, ldmatrix and onehot agree on every slot, the product is exact, and
 * it was measured on hardware. */
#ifndef FO_ORACLE_ANSWER_CONTRACT_H
#define FO_ORACLE_ANSWER_CONTRACT_H

#include "oracle/io/json.h"

#include "oracle/exec/machine.h"
#include "reference/layout.h"
#include "reference/wgmma.h"

enum contract_source { CONTRACT_SPEC, CONTRACT_LOADER, CONTRACT_LDMATRIX, CONTRACT_ONEHOT, CONTRACT_SOURCES };
const char *contract_source_name(enum contract_source s);

struct contract {
    char op[WGMMA_NAME_SIZE];
    char operand[2];                       /* "A" or "D" */
    bool present[CONTRACT_SOURCES];        /* measured? */
    struct layout map[CONTRACT_SOURCES];   /* slots to elements; owned */
    size_t agree[CONTRACT_SOURCES];        /* slots on which it agrees with spec */
    size_t slots;                          /* 1024 for A, 4096 for D */
    size_t product_outputs, product_wrong; /* of the closing product; 0 outputs: not run */
    enum fidelity fidelity;
    json_t *provenance; /* json_of_machine; owned */
    bool conforms;      /* every source that is present agrees with spec on every slot, and the product is exact */
    bool locked;
    char first[200]; /* the first thing that does not conform: a slot, or the product; "" if nothing */
};

/* Measure on a machine. method: "loader", "onehot", "all". op and operand: see above, A or D (D has only onehot).
 * errors: STATUS_UNSUPPORTED for another operation; STATUS_DEVICE; STATUS_BAD_INPUT when a measurement makes no sense
 * (two owners of a slot, an output that names no source), saying where. */
enum status contract_measure(const struct machine *m, const char *op, const char *operand, const char *method,
                             struct contract *out, struct error *e);
/* Compare every source with spec and decide conforms and locked. Called by measure and read. */
enum status contract_judge(struct contract *c, struct error *e);
void contract_free(struct contract *c);

/* schema fragoracle.contract/1: the basis images and extents of every source. A map that is not affine is written as a
 * table. */
json_t *contract_json(const struct contract *c);
/* errors: STATUS_IO, STATUS_BAD_INPUT with path and member. What the file says of agreement and locking is not
 * believed: the spec is rebuilt and the contract is judged again. */
enum status contract_read(const char *path, struct contract *out, struct error *e);
enum status contract_parse(const char *path, const void *bytes, size_t size, struct contract *out, struct error *e);

#endif
