/* child_wire: what travels between who asks and fragoracle-subject, one message a packet. Both ends are one build, on
 * one machine, so messages are structs; but a kernel gone wild may have written anything into one that it sends, and
 * who asks believes no number of it. */
#ifndef FO_ORACLE_EXEC_CHILD_WIRE_H
#define FO_ORACLE_EXEC_CHILD_WIRE_H

#include "oracle/exec/child_memory.h"
#include "oracle/exec/plugin_weights.h"

enum child_slot {
    CHILD_WEIGHTS, /* values, scales */
    CHILD_INPUTS,  /* x, starts, ids */
    CHILD_OUTPUTS, /* out, status */
    CHILD_SLOTS
};
extern const char *const child_array_names[CHILD_SLOTS][CHILD_ARRAYS];

enum child_request_kind { CHILD_MAP, CHILD_LOAD, CHILD_RUN };

/* MAP: slot, bytes, and a descriptor with it; no answer. LOAD: experts, N, K. RUN: also rows, active, poison. */
struct child_request {
    enum child_request_kind kind;
    enum child_slot slot;
    size_t bytes[CHILD_ARRAYS];
    size_t experts, N, K, rows, active;
    struct bf16 poison;
    double seconds; /* that the answer may take */
};

/* What a subject says of itself once it is open. */
struct child_description {
    char name[RUN_KERNEL_NAME];
    enum fidelity fidelity;
    struct plugin_format format;
    struct executor_limits limits;
};

enum { CHILD_NOTE = 512 };

enum child_reply_kind {
    CHILD_HELLO, /* the first; the others answer LOAD and RUN */
    CHILD_DONE,
    CHILD_FAULT /* from the handler of a signal; the end of the process follows */
};

struct child_reply {
    enum child_reply_kind kind;
    enum status status;
    char why[320], path[512], field[160]; /* of a status that is not STATUS_OK */
    struct child_description description;
    struct run_report report;
    enum fidelity ran; /* of the runs so far */
    char note[CHILD_NOTE];
    uint64_t address;     /* of CHILD_FAULT */
    enum child_slot slot; /* CHILD_SLOTS: in none */
    size_t offset;
};

/* fd: -1 for none. false: the other end is gone. */
bool child_request_send(int socket, const struct child_request *r, int fd);
/* *fd: owned by the caller, -1 for none. false: closed, or not such a message. */
bool child_request_receive(int socket, struct child_request *r, int *fd);
bool child_reply_send(int socket, const struct child_reply *r); /* may be called by a handler of a signal */
bool child_reply_receive(int socket, struct child_reply *r);    /* texts end, enumerations are legal */

#endif
