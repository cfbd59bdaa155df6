/* ptx_lanes: a warp of the PTX machine at the hand of a test: its registers set and read by name, one instruction at a
 * time executed for chosen lanes, without the scheduler. Include after cmocka.h. */
#ifndef FO_TESTS_SUPPORT_PTX_LANES_H
#define FO_TESTS_SUPPORT_PTX_LANES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/ptx/schedule.h"

struct ptx_lanes {
    struct vm *vm;
    struct vm_cluster *cluster;
    struct vm_warp *w; /* the first of block `rank` */
    const struct vm_function *f;
    uint8_t parameters[64];
};

/* Module text (`outside`: what stands before the kernel) with the kernel's body; a parameter `given` of 64 bytes. */
static inline char *ptx_lanes_text(const char *outside, const char *body)
{
    static const char form[] = ".version 8.6\n.target sm_90a\n.address_size 64\n%s\n"
                               ".visible .entry k(.param .align 16 .b8 given[64])\n{\n"
                               ".reg .pred %%p<10>;\n.reg .b8 %%b<10>;\n.reg .b16 %%h<10>;\n.reg .b32 %%r<20>;\n"
                               ".reg .b64 %%d<20>;\n.reg .f32 %%f<10>;\n.reg .f64 %%g<10>;\n%s\nret;\n}\n";
    int length = snprintf(NULL, 0, form, outside, body);
    char *text = malloc((size_t)length + 1);
    assert_non_null(text);
    snprintf(text, (size_t)length + 1, form, outside, body);
    return text;
}

static inline void ptx_lanes_open(struct ptx_lanes *t, const char *outside, const char *body, uint32_t blocks,
                                  uint32_t rank)
{
    char *text = ptx_lanes_text(outside, body);
    struct error e = {0};
    memset(t, 0, sizeof *t);
    for (size_t n = 0; n < sizeof t->parameters; n++)
        t->parameters[n] = (uint8_t)(0x81 + 3 * n);
    if (vm_make("lanes.ptx", text, strlen(text), &t->vm, &e) != STATUS_OK)
        fail_msg("%s, in line %d of\n%s", e.why, e.line, text);
    free(text);
    t->vm->launch = (struct vm_launch){.entry = "k",
                                       .grid = {blocks, 1, 1},
                                       .block = {VM_LANES, 1, 1},
                                       .cluster = {blocks, 1, 1},
                                       .parameters = t->parameters,
                                       .parameter_bytes = sizeof t->parameters};
    t->vm->entry = vm_program_find(&t->vm->program, "k");
    t->vm->shared_bytes = VM_SHARED_START + 16384;
    assert_true(t->vm->entry != VM_NONE);
    t->f = &t->vm->program.function[t->vm->entry];
    if (vm_cluster_make(t->vm, 0, &t->cluster, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    t->w = &t->cluster->block[rank].warp[0];
}

static inline void ptx_lanes_close(struct ptx_lanes *t)
{
    vm_cluster_free(t->cluster);
    vm_free(t->vm);
}

static inline uint64_t *ptx_lanes_row(const struct ptx_lanes *t, const char *name)
{
    const struct vm_program *p = &t->vm->program;
    for (uint32_t row = 0; row < p->rows; row++)
        if (strcmp(p->row_name[row], name) == 0)
            return vm_row(t->w, row);
    fail_msg("no register %s", name);
    return NULL;
}

static inline const struct vm_instruction *ptx_lanes_instruction(const struct ptx_lanes *t, uint32_t n)
{
    assert_true(n < t->f->instructions);
    return &t->vm->program.instruction[t->f->first + n];
}

/* Execute instruction n of the body. */
static inline enum vm_step ptx_lanes_step(struct ptx_lanes *t, uint32_t n, uint32_t lanes)
{
    const struct vm_instruction *i = ptx_lanes_instruction(t, n);
    if (i->why_not)
        fail_msg("instruction %u: %s", n, i->why_not);
    return i->run(t->w, i, lanes);
}

/* Execute the body, to its first ret, for all lanes. */
static inline void ptx_lanes_run(struct ptx_lanes *t)
{
    for (uint32_t n = 0; strcmp(ptx_lanes_instruction(t, n)->opcode, "ret") != 0; n++)
        if (ptx_lanes_step(t, n, UINT32_MAX) != VM_NEXT)
            fail_msg("instruction %u did not go through: %s", n, t->vm->error.why);
}

/* The one instruction of a body is not modelled, and the reason says `why`. */
static inline void ptx_lanes_refuse(const char *outside, const char *body, const char *why)
{
    char *text = ptx_lanes_text(outside, body);
    struct vm_program p;
    struct error e = {0};
    if (vm_program_read("lanes.ptx", text, strlen(text), &p, &e) != STATUS_OK)
        fail_msg("%s, in line %d of\n%s", e.why, e.line, text);
    free(text);
    const struct vm_instruction *i = &p.instruction[p.function[vm_program_find(&p, "k")].first];
    if (!i->why_not || !strstr(i->why_not, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", body, i->why_not ? i->why_not : "modelled", why);
    vm_program_free(&p);
}

/* The one instruction of a body is modelled. */
static inline void ptx_lanes_accept(const char *outside, const char *body)
{
    char *text = ptx_lanes_text(outside, body);
    struct vm_program p;
    struct error e = {0};
    if (vm_program_read("lanes.ptx", text, strlen(text), &p, &e) != STATUS_OK)
        fail_msg("%s, in line %d of\n%s", e.why, e.line, text);
    free(text);
    const struct vm_instruction *i = &p.instruction[p.function[vm_program_find(&p, "k")].first];
    if (i->why_not)
        fail_msg("%s: %s", body, i->why_not);
    vm_program_free(&p);
}

static inline bool ptx_lanes_hazard(const struct ptx_lanes *t, const char *kind)
{
    for (uint32_t n = 0; n < t->vm->report.hazards; n++)
        if (strstr(t->vm->report.hazard[n].kind, kind))
            return true;
    return false;
}

#endif
