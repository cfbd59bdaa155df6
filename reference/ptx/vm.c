#include "reference/ptx/vm.h"

#include <stdlib.h>
#include <string.h>

#include "reference/ptx/allocations.h"
#include "reference/ptx/hooks.h"

static enum vm_step run_unmodelled(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    char name[80];
    (void)lanes;
    return vm_fault(w, i, STATUS_UNSUPPORTED, "`%s` is not modelled: %s", vm_instruction_name(i, name, sizeof name),
                    i->why_not ? i->why_not : "it has no operation");
}

/* An offset into a variable becomes an address once the variable has its place. */
static void patch(const struct vm_program *p, struct vm_operand *list, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++)
        if (list[n].variable != VM_NONE)
            list[n].value += p->variable[list[n].variable].at;
}

static enum status place_variables(struct vm *v, struct error *e)
{
    struct vm_program *p = &v->program;
    for (uint32_t n = 0; n < p->variables; n++) {
        struct vm_variable *one = &p->variable[n];
        if (one->space == VM_SHARED)
            one->at += VM_SHARED_START;
        if (one->space != VM_GLOBAL && one->space != VM_CONST)
            continue;
        enum status s = vm_allocations_add(v->allocations, one->name, one->bytes, one->space == VM_CONST, &one->at, e);
        if (s != STATUS_OK)
            return s;
        uint8_t *data = vm_bytes(v, one->at);
        if (one->initial)
            memcpy(data, one->initial, one->bytes);
        else
            memset(data, 0, one->bytes);
    }
    patch(p, p->operand, p->operands);
    patch(p, p->element, p->elements);
    for (uint32_t n = 0; n < p->instructions; n++)
        if (p->instruction[n].why_not || !p->instruction[n].run)
            p->instruction[n].run = run_unmodelled;
    return STATUS_OK;
}

enum status vm_make_program(struct vm_program *program, struct vm **out, struct error *e)
{
    struct vm *v = calloc(1, sizeof *v);
    struct vm_allocations *all = calloc(1, sizeof *all);
    uint8_t *used = malloc((size_t)program->rows + 1);
    if (!v || !all || !used) {
        free(v);
        free(all);
        free(used);
        return error_set(e, STATUS_NO_MEMORY, "no memory for the machine");
    }
    v->program = *program;
    v->allocations = all;
    v->row_used = used;
    pthread_mutex_init(&v->global, NULL);
    pthread_mutex_init(&v->notes, NULL);
    enum status s = place_variables(v, e);
    if (s != STATUS_OK) {
        v->program = (struct vm_program){0};
        vm_free(v);
        return s;
    }
    *program = (struct vm_program){0};
    *out = v;
    return STATUS_OK;
}

enum status vm_make(const char *path, const char *text, size_t size, struct vm **out, struct error *e)
{
    struct vm_program program;
    enum status s = vm_program_read(path, text, size, &program, e);
    if (s != STATUS_OK)
        return s;
    s = vm_make_program(&program, out, e);
    if (s != STATUS_OK)
        vm_program_free(&program);
    return s;
}

void vm_free(struct vm *v)
{
    if (!v)
        return;
    vm_program_free(&v->program);
    vm_allocations_free(v->allocations);
    pthread_mutex_destroy(&v->global);
    pthread_mutex_destroy(&v->notes);
    free(v->allocations);
    free(v->row_used);
    free(v);
}

enum status vm_alloc(struct vm *v, const char *name, size_t bytes, uint64_t *address, struct error *e)
{
    return vm_allocations_add(v->allocations, name, bytes, false, address, e);
}

void vm_release(struct vm *v, uint64_t address)
{
    vm_allocations_remove(v->allocations, address);
}

void *vm_bytes(struct vm *v, uint64_t address)
{
    struct vm_allocation *found = vm_allocations_below(v->allocations, address);
    return found && found->at == address ? found->data : NULL;
}

void vm_global_lock(struct vm *v)
{
    pthread_mutex_lock(&v->global);
}

void vm_global_unlock(struct vm *v)
{
    pthread_mutex_unlock(&v->global);
}
