#include "oracle/exec/module_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "oracle/exec/module_cuda.h"
#include "oracle/io/file.h"

enum { PORTABLE_CLUSTER = 8 };
enum { DEFAULT_SHARED = 48 << 10, LOG_BYTES = 4096, POLL_NS = 50000 };

struct buffer {
    cu_pointer base; /* of the first guard; 0: not made */
    size_t bytes;    /* between the guards */
};

struct driver {
    const struct module_sidecar *sidecar; /* borrowed */
    struct cuda f;
    cu_device device;
    char name[MODULE_GPU];
    void *context, *module, *function;
    struct buffer buffer[BUFFERS];
    size_t launches, broken; /* broken: the launch after which the context answers nothing but errors; 0: none */
};

static const char *name_of(const struct driver *d, cu_result r, char text[32])
{
    const char *name = NULL;
    if (d->f.error_name(r, &name) == CU_OK && name)
        return name;
    snprintf(text, 32, "error %d", r);
    return text;
}

static enum status failed(const struct driver *d, enum status s, cu_result r, const char *doing, struct error *e)
{
    char text[32];
    return error_set(e, s, "%s: %s", doing, name_of(d, r, text));
}

static enum status find_gpu(struct driver *d, struct error *e)
{
    cu_result r = d->f.init(0);
    if (r == CU_OK)
        r = d->f.device_get(&d->device, 0);
    if (r == CU_OK)
        r = d->f.device_get_name(d->name, sizeof d->name, d->device);
    return r == CU_OK ? STATUS_OK : failed(d, STATUS_NO_DEVICE, r, "no GPU", e);
}

static enum status start(struct driver *d, struct error *e)
{
    enum status s = find_gpu(d, e);
    if (s != STATUS_OK)
        return s;
    cu_result r = d->f.context_retain(&d->context, d->device);
    if (r == CU_OK)
        r = d->f.context_set(d->context);
    return r == CU_OK ? STATUS_OK : failed(d, STATUS_DEVICE, r, "no context on the GPU", e);
}

/* The driver takes PTX as a string; a cubin knows its own size. */
static enum status load(struct driver *d, struct error *e)
{
    const struct module_sidecar *m = d->sidecar;
    uint8_t *bytes, *image;
    size_t size;
    char log[LOG_BYTES] = "", text[32];
    int option[] = {CU_JIT_LOG, CU_JIT_LOG_BYTES};
    void *value[] = {log, (void *)(uintptr_t)(sizeof log - 1)};
    enum status s = file_read(m->module, 0, &bytes, &size, e);
    if (s != STATUS_OK)
        return s;
    image = realloc(bytes, size + 1);
    if (!image) {
        free(bytes);
        return error_set(e, STATUS_NO_MEMORY, "no memory for the module");
    }
    image[size] = '\0';
    cu_result r = d->f.module_load(&d->module, image, 2, option, value);
    free(image);
    log[strcspn(log, "\n")] = '\0';
    if (r != CU_OK) {
        s = error_set(e, STATUS_BAD_INPUT, "the driver refuses the module: %s%s%.200s", name_of(d, r, text),
                      *log ? ": " : "", log);
        return error_at_path(e, m->module), s;
    }
    r = d->f.module_function(&d->function, d->module, m->entry);
    if (r != CU_OK) {
        s = error_set(e, STATUS_BAD_INPUT, "no kernel '%.200s' in the module: %s", m->entry, name_of(d, r, text));
        error_at_path(e, m->path);
        return error_at_field(e, "entry"), s;
    }
    return STATUS_OK;
}

/* With a broken context every call fails, and after a kernel that did not end they would wait for it: what it held goes
 * with the process. */
static void driver_close(void *self)
{
    struct driver *d = self;
    if (!d->broken) {
        for (int b = 0; b < BUFFERS; b++)
            if (d->buffer[b].base)
                d->f.release(d->buffer[b].base);
        if (d->module)
            d->f.module_unload(d->module);
        if (d->context)
            d->f.context_release(d->device);
    }
    free(d);
}

static enum status check_alive(const struct driver *d, struct error *e)
{
    return d->broken ? error_set(e, STATUS_SUBJECT, "the GPU is lost to this process since launch %zu", d->broken)
                     : STATUS_OK;
}

static void fill_guard(uint8_t guard[MODULE_GUARD])
{
    for (size_t i = 0; i < MODULE_GUARD; i++)
        guard[i] = (uint8_t)(0xa5 ^ (i * 7));
}

static enum status make_buffer(struct driver *d, enum module_buffer b, size_t bytes, struct error *e)
{
    struct buffer *to = &d->buffer[b];
    if (to->base && to->bytes == bytes)
        return STATUS_OK;
    if (to->base)
        d->f.release(to->base);
    *to = (struct buffer){0};
    cu_pointer base;
    cu_result r = d->f.alloc(&base, bytes + 2 * (size_t)MODULE_GUARD);
    if (r != CU_OK)
        return failed(d, r == CU_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_DEVICE, r, "no GPU memory", e);
    *to = (struct buffer){base, bytes};
    return STATUS_OK;
}

static enum status driver_set(void *self, enum module_buffer b, const void *data, size_t bytes, struct error *e)
{
    struct driver *d = self;
    uint8_t guard[MODULE_GUARD];
    enum status s = check_alive(d, e);
    if (s == STATUS_OK)
        s = make_buffer(d, b, bytes, e);
    if (s != STATUS_OK)
        return s;
    cu_pointer at = d->buffer[b].base;
    fill_guard(guard);
    cu_result r = d->f.copy_to(at, guard, MODULE_GUARD);
    if (r == CU_OK)
        r = d->f.copy_to(at + MODULE_GUARD, data, bytes);
    if (r == CU_OK)
        r = d->f.copy_to(at + MODULE_GUARD + bytes, guard, MODULE_GUARD);
    return r == CU_OK ? STATUS_OK : failed(d, STATUS_DEVICE, r, "copying to the GPU", e);
}

static uint64_t driver_address(const void *self, enum module_buffer b)
{
    return ((const struct driver *)self)->buffer[b].base + MODULE_GUARD;
}

static enum status driver_get(void *self, enum module_buffer b, void *data, struct error *e)
{
    const struct driver *d = self;
    enum status s = check_alive(d, e);
    if (s != STATUS_OK)
        return s;
    cu_result r = d->f.copy_from(data, driver_address(d, b), d->buffer[b].bytes);
    return r == CU_OK ? STATUS_OK : failed(d, STATUS_DEVICE, r, "copying from the GPU", e);
}

/* Not a wait without end: a kernel that hangs is an answer. */
static enum status wait_for_it(struct driver *d, struct error *e)
{
    const struct timespec nap = {.tv_nsec = POLL_NS};
    struct timespec begin, now;
    char text[32];
    cu_result r;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while ((r = d->f.query(NULL)) == CU_NOT_READY) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((uint64_t)(now.tv_sec - begin.tv_sec) > d->sidecar->seconds) {
            d->broken = d->launches;
            return error_set(e, STATUS_SUBJECT, "the kernel did not end within %llu s in launch %zu",
                             (unsigned long long)d->sidecar->seconds, d->launches);
        }
        nanosleep(&nap, NULL);
    }
    if (r == CU_OK)
        return STATUS_OK;
    d->broken = d->launches;
    return error_set(e, STATUS_SUBJECT, "the kernel ended with %s in launch %zu", name_of(d, r, text), d->launches);
}

/* Both guards of a buffer; a broken one is made whole, so that the next launch is judged by itself. */
static enum status check_guards(struct driver *d, enum module_buffer b, struct error *e)
{
    static const char *const side[] = {"before the beginning", "past the end"};
    const struct buffer *of = &d->buffer[b];
    const cu_pointer at[] = {of->base, of->base + MODULE_GUARD + of->bytes};
    uint8_t wanted[MODULE_GUARD], found[MODULE_GUARD];
    fill_guard(wanted);
    for (int i = 0; i < 2; i++) {
        cu_result r = d->f.copy_from(found, at[i], MODULE_GUARD);
        if (r != CU_OK)
            return failed(d, STATUS_DEVICE, r, "copying from the GPU", e);
        if (memcmp(found, wanted, MODULE_GUARD) == 0)
            continue;
        d->f.copy_to(at[i], wanted, MODULE_GUARD);
        return error_set(e, STATUS_SUBJECT, "the kernel wrote %s of %s in launch %zu", side[i],
                         module_buffer_name(d->sidecar, b), d->launches);
    }
    return STATUS_OK;
}

static enum status driver_tensor_map(void *self, const struct vm_tensor_map *map, uint8_t out[VM_TENSOR_BYTES],
                                     struct error *e)
{
    struct driver *d = self;
    _Alignas(64) uint8_t made[VM_TENSOR_BYTES];
    uint64_t extent[VM_TENSOR_RANK], stride[VM_TENSOR_RANK] = {0};
    uint32_t box[VM_TENSOR_RANK], step[VM_TENSOR_RANK];
    int swizzle = map->swizzle == 0 ? 0 : map->swizzle == 32 ? 1 : map->swizzle == 64 ? 2 : 3;
    if (!d->f.tensor_map)
        return error_set(e, STATUS_NO_DEVICE, "libcuda.so.1 has no cuTensorMapEncodeTiled");
    for (unsigned i = 0; i < map->rank; i++) {
        extent[i] = map->extent[i], box[i] = map->box[i], step[i] = map->step[i];
        if (i > 0)
            stride[i - 1] = map->stride[i];
    }
    cu_result r =
        d->f.tensor_map(made, module_tensor_type_of((enum vm_type)map->type)->driver, map->rank,
                        (void *)(uintptr_t)map->address, extent, stride, box, step, 0, swizzle, 0, map->fill_nan);
    if (r != CU_OK)
        return failed(d, STATUS_BAD_ARGUMENT, r, "the driver refuses the tensor map", e);
    memcpy(out, made, sizeof made);
    return STATUS_OK;
}

/* A launch in clusters that the kernel does not state itself takes the newer call. */
static cu_result start_kernel(const struct driver *d, const struct module_launch *l, void **parameters)
{
    cu_result r = CU_OK;
    if (l->shared > DEFAULT_SHARED)
        r = d->f.function_set(d->function, CU_DYNAMIC_SHARED, (int)l->shared);
    if (r == CU_OK && l->cluster[0] * l->cluster[1] * l->cluster[2] > PORTABLE_CLUSTER)
        r = d->f.function_set(d->function, CU_LARGE_CLUSTER, 1);
    if (r != CU_OK)
        return r;
    if (l->cluster[0] == 0)
        return d->f.launch(d->function, l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2],
                           l->shared, NULL, parameters, NULL);
    struct cuda_attribute cluster = {.id = CU_CLUSTER, .value.cluster = {l->cluster[0], l->cluster[1], l->cluster[2]}};
    const struct cuda_config config = {
        {l->grid[0], l->grid[1], l->grid[2]}, {l->block[0], l->block[1], l->block[2]}, l->shared, NULL, &cluster, 1};
    return d->f.launch_ex(&config, d->function, parameters, NULL);
}

static enum status driver_launch(void *self, const struct module_launch *l, struct module_ran *ran, struct error *e)
{
    struct driver *d = self;
    void *parameters[MODULE_ARGUMENTS];
    enum status s = check_alive(d, e);
    if (s != STATUS_OK)
        return s;
    if (l->cluster[0] && !d->f.launch_ex)
        return error_set(e, STATUS_NO_DEVICE, "libcuda.so.1 has no cuLaunchKernelEx, which clusters need");
    for (uint32_t i = 0; i < d->sidecar->arguments; i++) /* the driver only reads */
        parameters[i] = (void *)(uintptr_t)(l->parameters + d->sidecar->argument_at[i]);
    cu_result r = start_kernel(d, l, parameters);
    if (r != CU_OK) {
        char text[32];
        s = error_set(e, STATUS_BAD_INPUT,
                      "the driver refuses a launch of %u x %u x %u blocks of %u x %u x %u threads, %u bytes shared: %s",
                      l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2], l->shared,
                      name_of(d, r, text));
        return error_at_path(e, d->sidecar->path), s;
    }
    d->launches++;
    s = wait_for_it(d, e);
    for (int b = 0; s == STATUS_OK && b < BUFFERS; b++)
        if (d->buffer[b].base)
            s = check_guards(d, (enum module_buffer)b, e);
    if (s == STATUS_OK)
        *ran = (struct module_ran){.fidelity = FIDELITY_HARDWARE};
    return s;
}

enum status module_driver_open(const struct module_sidecar *m, struct module_device *out, struct error *e)
{
    struct driver *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a module");
    d->sidecar = m;
    enum status s = cuda_find(&d->f, e);
    if (s == STATUS_OK)
        s = start(d, e);
    if (s == STATUS_OK)
        s = load(d, e);
    if (s != STATUS_OK) {
        driver_close(d);
        return s;
    }
    *out = (struct module_device){.name = "module",
                                  .fidelity = FIDELITY_HARDWARE,
                                  .self = d,
                                  .set = driver_set,
                                  .get = driver_get,
                                  .address = driver_address,
                                  .tensor_map = driver_tensor_map,
                                  .launch = driver_launch,
                                  .close = driver_close};
    return STATUS_OK;
}

enum status module_driver_gpu(char name[MODULE_GPU], struct error *e)
{
    struct driver d = {0};
    enum status s = cuda_find(&d.f, e);
    if (s == STATUS_OK)
        s = find_gpu(&d, e);
    if (s == STATUS_OK)
        memcpy(name, d.name, MODULE_GPU);
    return s;
}
