#include "reference/ptx/warp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reference/ptx/special.h"
#include "reference/ptx/vm.h"

const struct vm_program *vm_warp_program(const struct vm_warp *w)
{
    return &w->block->vm->program;
}

/* The address of a shared variable is one in the cluster: it has the rank of the block. */
static uint64_t symbol_base(const struct vm_warp *w, const struct vm_operand *o)
{
    return o->space == VM_SHARED && o->variable != VM_NONE ? (uint64_t)w->block->rank << VM_RANK_SHIFT : 0;
}

const uint64_t *vm_read_operand(const struct vm_warp *w, const struct vm_operand *o, uint64_t room[VM_LANES])
{
    if (o->kind == VM_REGISTER) {
        const uint64_t *row = vm_row(w, o->reg);
        if (!(o->negated && o->bits == 1))
            return row;
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            room[lane] = row[lane] ^ 1;
        return room;
    }
    if (o->kind == VM_SPECIAL) {
        vm_special_read(w, (enum vm_special)o->value, room);
        return room;
    }
    uint64_t value = o->value + symbol_base(w, o);
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        room[lane] = value;
    return room;
}

void vm_write_operand(struct vm_warp *w, const struct vm_operand *o, const uint64_t value[VM_LANES], uint32_t lanes)
{
    if (o->kind != VM_REGISTER)
        return;
    uint64_t *row = vm_row(w, o->reg);
    uint64_t mask = o->bits < 64 ? (UINT64_C(1) << o->bits) - 1 : UINT64_MAX;
    if (lanes == UINT32_MAX)
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            row[lane] = value[lane] & mask;
    else
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            if (lanes >> lane & 1)
                row[lane] = value[lane] & mask;
}

void vm_read_addresses(const struct vm_warp *w, const struct vm_operand *o, uint64_t address[VM_LANES])
{
    uint64_t offset = o->value + symbol_base(w, o);
    if (o->reg == VM_NONE) {
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            address[lane] = offset;
        return;
    }
    const uint64_t *row = vm_row(w, o->reg);
    uint64_t mask = vm_warp_program(w)->row_bits[o->reg] < 64 ? UINT32_MAX : UINT64_MAX;
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        address[lane] = (row[lane] + offset) & mask;
}

const char *vm_instruction_name(const struct vm_instruction *i, char *text, size_t size)
{
    int used = snprintf(text, size, "%s", i->opcode ? i->opcode : "?");
    for (uint32_t n = 0; n < i->words && used >= 0 && (size_t)used < size; n++)
        used += snprintf(text + used, size - (size_t)used, ".%s", i->word[n]);
    return text;
}

/* Who speaks: the fault of the first cluster stands, and within one its first. */
static bool may_speak(const struct vm_warp *w)
{
    const struct vm *v = w->block->vm;
    return v->error.status == STATUS_OK || w->block->cluster->index < v->error_cluster;
}

enum vm_step vm_fault(struct vm_warp *w, const struct vm_instruction *i, enum status s, const char *why, ...)
{
    struct vm_cluster *c = w->block->cluster;
    struct vm *v = w->block->vm;
    char text[sizeof v->error.why], who[64];
    va_list ap;
    va_start(ap, why);
    vsnprintf(text, sizeof text, why, ap);
    va_end(ap);
    snprintf(who, sizeof who, "block (%u,%u,%u), warp %u", w->block->at[0], w->block->at[1], w->block->at[2], w->index);
    pthread_mutex_lock(&v->notes);
    if (!c->faulted && may_speak(w)) {
        error_set(&v->error, s, "%s", text);
        error_at_path(&v->error, v->program.path);
        error_at_field(&v->error, who);
        if (i) {
            v->error.line = (int)i->line;
            v->error.column = (int)i->column;
        }
        v->error_cluster = c->index;
    }
    pthread_mutex_unlock(&v->notes);
    c->faulted = true;
    return VM_FAULT;
}

/* The place of a hazard in the report: its own, a new one, or NULL when there is no room. */
static struct vm_hazard *find_hazard(struct vm_report *r, uint32_t line, const char *kind)
{
    for (uint32_t n = 0; n < r->hazards; n++)
        if (r->hazard[n].line == line && strcmp(r->hazard[n].kind, kind) == 0)
            return &r->hazard[n];
    if (r->hazards == VM_HAZARDS)
        return NULL;
    struct vm_hazard *h = &r->hazard[r->hazards++];
    *h = (struct vm_hazard){.kind = kind, .line = line};
    return h;
}

void vm_hazard(struct vm_warp *w, const struct vm_instruction *i, const char *kind, const char *what, ...)
{
    struct vm *v = w->block->vm;
    uint64_t cluster = w->block->cluster->index;
    pthread_mutex_lock(&v->notes);
    struct vm_hazard *h = find_hazard(&v->report, i->line, kind);
    uint64_t *from = h ? &v->hazard_cluster[h - v->report.hazard] : NULL;
    /* The first cluster's text stands, so that the report does not depend on who was faster. */
    if (h && (h->count == 0 || cluster < *from)) {
        va_list ap;
        va_start(ap, what);
        vsnprintf(h->text, sizeof h->text, what, ap);
        va_end(ap);
        *from = cluster;
    }
    if (h)
        h->count++;
    pthread_mutex_unlock(&v->notes);
}

void vm_approximate(struct vm_warp *w, const char *what)
{
    struct vm_cluster *c = w->block->cluster;
    if (!c->approximate)
        c->approximate = what;
}

bool vm_all_here(const struct vm_warp *w, uint32_t lanes, uint32_t wanted)
{
    return (wanted & w->alive & ~lanes) == 0;
}
