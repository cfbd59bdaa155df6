#include "oracle/mutate/slice.h"

#include <stdlib.h>
#include <string.h>

/* What a register is followed for. */
enum purpose { DATA, ADDRESS, PURPOSES };

struct item {
    uint32_t reg;
    enum purpose purpose;
};

struct slice {
    const struct view *v;
    const struct ptx_function *f;
    uint32_t *first;  /* of each register of the function: where its writers begin */
    uint32_t *writer; /* statements */
    struct item *stack;
    uint32_t depth;
    bool *seen[PURPOSES]; /* of each register */
    bool *marked;
};

static bool begins(const char *opcode, const char *with)
{
    return strncmp(opcode, with, strlen(with)) == 0;
}

static bool is_load(const char *opcode)
{
    return begins(opcode, "ld.") || begins(opcode, "ldu.") || begins(opcode, "ldmatrix.");
}

/* Registers of predicates choose, they do not carry. */
static void push(struct slice *s, uint32_t reg, enum purpose purpose)
{
    if (reg < s->f->registers_from || reg >= s->f->registers_to || module_register(&s->v->module, reg)->bits == 1)
        return;
    bool *seen = &s->seen[purpose][reg - s->f->registers_from];
    if (!*seen)
        s->stack[s->depth++] = (struct item){reg, purpose};
    *seen = true;
}

static void push_sources(struct slice *s, const struct ptx_statement *from, enum purpose purpose)
{
    for (uint32_t r = from->ref; r < from->ref + from->refs; r++)
        if (!(s->v->module.ref[r].flags & (PTX_WRITTEN | PTX_GUARD)))
            push(s, s->v->module.ref[r].reg, purpose);
}

/* One statement that writes a register which matters. */
static void follow(struct slice *s, uint32_t statement, enum purpose purpose)
{
    const struct ptx_statement *from = &s->v->module.statement[statement];
    struct view_form form;
    if ((from->kind != PTX_PLAIN && from->kind != PTX_COPY) || !view_form(s->v, statement, &form) ||
        begins(form.opcode, "call") || begins(form.opcode, "ld.param"))
        return;
    if (is_load(form.opcode) && purpose == ADDRESS)
        return;
    if (is_load(form.opcode))
        purpose = ADDRESS;
    s->marked[statement] = s->marked[statement] || purpose == ADDRESS;
    push_sources(s, from, purpose);
}

/* Index of the writers of every register, in the order of the text. */
static void index_writers(struct slice *s)
{
    const struct ptx_module *m = &s->v->module;
    uint32_t registers = s->f->registers_to - s->f->registers_from;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = s->f->statement; i < s->f->statement + s->f->statements; i++)
            for (uint32_t r = m->statement[i].ref; r < m->statement[i].ref + m->statement[i].refs; r++) {
                uint32_t reg = m->ref[r].reg - s->f->registers_from;
                if (!(m->ref[r].flags & PTX_WRITTEN) || reg >= registers)
                    continue;
                if (pass == 0)
                    s->first[reg + 2]++;
                else
                    s->writer[s->first[reg + 1]++] = i;
            }
        for (uint32_t reg = 0; pass == 0 && reg < registers; reg++)
            s->first[reg + 2] += s->first[reg + 1];
    }
}

static void run(struct slice *s)
{
    for (uint32_t site = 0; site < s->v->sites.site_count; site++) {
        const struct ptx_statement *mma = &s->v->module.statement[s->v->statement[site]];
        if (!s->v->sites.site[site].register_a || &s->v->module.function[s->v->function[site]] != s->f)
            continue;
        for (uint32_t r = mma->ref; r < mma->ref + mma->refs; r++)
            if (s->v->module.ref[r].operand == 1)
                push(s, s->v->module.ref[r].reg, DATA);
    }
    while (s->depth > 0) {
        struct item item = s->stack[--s->depth];
        uint32_t reg = item.reg - s->f->registers_from;
        for (uint32_t w = s->first[reg]; w < s->first[reg + 1]; w++)
            follow(s, s->writer[w], item.purpose);
    }
}

enum status slice_addresses(const struct view *v, uint32_t f, bool *marked, struct error *e)
{
    const struct ptx_function *function = &v->module.function[f];
    const struct ptx_statement *end = &v->module.statement[function->statement + function->statements];
    size_t registers = function->registers_to - function->registers_from, refs = 0;
    for (const struct ptx_statement *s = &v->module.statement[function->statement]; s < end; s++)
        refs += s->refs;
    struct slice s = {.v = v, .f = function, .marked = marked};
    s.first = calloc(registers + 2, sizeof *s.first);
    s.writer = malloc((refs + 1) * sizeof *s.writer);
    s.stack = malloc((PURPOSES * registers + 1) * sizeof *s.stack);
    s.seen[DATA] = calloc(PURPOSES * registers + 1, sizeof *s.seen[DATA]);
    bool room = s.first && s.writer && s.stack && s.seen[DATA];
    if (room) {
        s.seen[ADDRESS] = s.seen[DATA] + registers;
        index_writers(&s);
        run(&s);
    }
    free(s.first);
    free(s.writer);
    free(s.stack);
    free(s.seen[DATA]);
    return room ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for the addresses of A");
}
