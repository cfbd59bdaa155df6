/* Any bytes as a PTX module that is executed: it is refused with line and column, or its first kernel ends, or it stops
 * with a reason; and a second run does the same. */
#include <stdlib.h>

#include "reference/ptx/tensor_map.h"
#include "reference/ptx/vm.h"
#include "tests/fuzz/fuzz.h"

enum { MEMORY = 2048, STEPS = 3000, THREADS = 64, THREADS_MOST = 128, PARAMETERS_MOST = 4096, NUMBER = 8 };
/* Of a module that asks for more, only the reader is tried: it would take its time to be filled. */
enum { VARIABLES_MOST = 1 << 20 };

static uint32_t find_entry(const struct vm_program *p)
{
    for (uint32_t f = 0; f < p->functions; f++)
        if (p->function[f].entry && p->function[f].instructions)
            return f;
    return VM_NONE;
}

static int is_small(const struct vm_program *p)
{
    uint64_t bytes = p->local_bytes * THREADS_MOST + p->shared_bytes;
    for (uint32_t n = 0; n < p->variables && bytes <= VARIABLES_MOST; n++)
        bytes += p->variable[n].bytes;
    return bytes <= VARIABLES_MOST && (uint64_t)p->rows * VM_LANES * THREADS_MOST / 4 <= VARIABLES_MOST;
}

/* What is as wide as an address is one, what is as wide as a tensor map is one, the rest are numbers. Behind every
 * wide one there is the number once more. */
static size_t make_parameters(const struct vm_program *p, const struct vm_function *f, uint64_t memory, uint8_t *room)
{
    struct vm_tensor_map map = {.rank = 2,
                                .element_bytes = 2,
                                .swizzle = 32,
                                .address = memory,
                                .extent = {16, 64},
                                .stride = {2, 32},
                                .box = {16, 8},
                                .step = {1, 1},
                                .type = VM_BF16};
    size_t end = 0;
    uint8_t encoded[VM_TENSOR_BYTES];
    enum status s = vm_tensor_map_encode(&map, encoded, NULL);
    assert(s == STATUS_OK);
    memset(room, 0, PARAMETERS_MOST);
    for (uint32_t n = 0; n < f->parameters; n++) {
        const struct vm_variable *v = &p->variable[f->parameter + n];
        if (v->at > PARAMETERS_MOST || v->bytes > PARAMETERS_MOST - v->at)
            return PARAMETERS_MOST + 1;
        room[v->at] = NUMBER;
        if (v->bytes >= VM_TENSOR_BYTES)
            memcpy(room + v->at, encoded, sizeof encoded);
        else if (v->bytes == sizeof memory)
            memcpy(room + v->at, &memory, sizeof memory);
        end = v->at + v->bytes > end ? v->at + v->bytes : end;
    }
    return end;
}

static void check_fault(const struct error *e, enum status s)
{
    assert(s == STATUS_SUBJECT || s == STATUS_UNSUPPORTED || s == STATUS_BAD_ARGUMENT);
    assert(e->status == s && e->why[0]);
}

/* One block, on memory that always begins the same. */
static enum status run(const char *text, size_t size, enum vm_order order, uint8_t memory[MEMORY], struct error *e)
{
    struct vm *v;
    uint64_t address;
    uint8_t parameters[PARAMETERS_MOST];
    enum status s = vm_make("input", text, size, &v, e);
    assert(s == STATUS_OK);
    s = vm_alloc(v, "memory", MEMORY, &address, e);
    assert(s == STATUS_OK);
    const struct vm_program *p = &v->program;
    const struct vm_function *f = &p->function[find_entry(p)];
    uint32_t threads = f->maxntid[0] ? THREADS_MOST : THREADS;
    size_t bytes = make_parameters(p, f, address, parameters);
    const struct vm_launch launch = {.entry = f->name,
                                     .grid = {f->cluster[0] == 2 ? 2 : 1, 1, 1},
                                     .block = {threads, 1, 1},
                                     .dynamic_shared = 4096,
                                     .parameters = parameters,
                                     .parameter_bytes = bytes,
                                     .order = order,
                                     .most_steps = STEPS};
    for (int n = 0; n < MEMORY; n++)
        ((uint8_t *)vm_bytes(v, address))[n] = (uint8_t)(n % 7 ? 0x3c : n);
    s = vm_run(v, &launch, e);
    if (s != STATUS_OK)
        check_fault(e, s);
    assert(v->report.hazards <= VM_HAZARDS);
    memcpy(memory, vm_bytes(v, address), MEMORY);
    vm_free(v);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t memory[2][MEMORY];
    struct vm_program p;
    struct error e = {0}, again = {0};
    char *text = malloc(size ? size : 1); /* so that a read behind the end is seen */
    assert(text);
    memcpy(text, bytes, size);
    enum status s = vm_program_read("input", text, size, &p, &e);
    if (s != STATUS_OK) {
        assert(s == STATUS_BAD_INPUT && e.status == s && !strcmp(e.path, "input") && e.why[0]);
        assert(memchr(text, '\0', size) || (e.line > 0 && e.column > 0));
        free(text);
        return 0;
    }
    int runs = find_entry(&p) != VM_NONE && is_small(&p);
    vm_program_free(&p);
    if (runs) {
        enum vm_order order = size % 2 ? VM_LATE : VM_EARLY;
        s = run(text, size, order, memory[0], &e);
        assert(run(text, size, order, memory[1], &again) == s);
        assert(!memcmp(memory[0], memory[1], MEMORY));
        assert(s == STATUS_OK || (!strcmp(e.why, again.why) && e.line == again.line));
    }
    free(text);
    return 0;
}
