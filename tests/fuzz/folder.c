#include "tests/fuzz/folder.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/answer/arithmetic.h"
#include "oracle/fragoracle.h"
#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "oracle/io/safetensors.h"
#include "tests/support/scratch.h"

static void *state; /* the scratch folder, in memory where there is such a place: no case shall wait for a disk */

static enum status answered(int failed, struct fo_answer *answer, const struct fo_error *line, struct error *e)
{
    fo_answer_free(answer);
    return failed ? error_set(e, (enum status)failed, "%.300s", line->line) : STATUS_OK;
}

static enum status make_layout(const char *path, struct error *e)
{
    static const uint8_t data[2 * 3 * 64] = {1, 2, 3};
    static const struct safetensors_entry entry[] = {{"m_blocks", "U8", 4, {2, 3, 2, 16}, data},
                                                     {"m_scales", "U8", 3, {2, 3, 2}, data}};
    char file[SCRATCH_PATH];
    struct fo_pack_options o = {.weights = file, .tensor = "m", .out = path};
    struct fo_answer answer = {0};
    struct fo_error line;
    snprintf(file, sizeof file, "%s/weights.safetensors", path);
    enum status s = safetensors_write(file, entry, 2, NULL, e);
    return s == STATUS_OK ? answered(fo_pack(&o, &answer, &line), &answer, &line, e) : s;
}

static enum status make_emit(const char *path, struct error *e)
{
    static const uint16_t output[4][16];
    struct fo_emit_options o = {.P = 4, .N = 16, .K = 64, .weights.kind = "random", .historical = 1, .out = path};
    struct fo_answer answer = {0};
    struct fo_error line;
    char file[SCRATCH_PATH];
    snprintf(file, sizeof file, "%s/out_0.npy", path);
    remove(file); /* emit refuses a folder with outputs of an earlier run */
    enum status s = answered(fo_emit(&o, &answer, &line), &answer, &line, e);
    if (s == STATUS_OK)
        s = npy_write(file, NPY_U2, 2, (const size_t[]){4, 16}, output, e);
    snprintf(file, sizeof file, "%s/run.json", path);
    static const char run[] = "{\"kernel\": \"a kernel\", \"fidelity\": \"hardware\", \"device\": \"a device\"}";
    return s == STATUS_OK ? file_write(file, run, sizeof run - 1, e) : s;
}

/* The smallest capture has a tile of every regime; one of them is enough here. */
static enum status make_capture(const char *path, struct error *e)
{
    static const struct {
        const char *name;
        enum npy_type type;
        size_t shape[3];
    } part[] = {{"a.npy", NPY_U2, {1, 64, 16}},
                {"b.npy", NPY_U2, {1, 8, 16}},
                {"c.npy", NPY_U4, {1, 64, 8}},
                {"d.npy", NPY_U4, {1, 64, 8}}};
    static const uint32_t zero[64 * 8];
    static const char json[] = "{\"schema\": \"fragoracle.capture/1\", \"op\": \"wgmma.m64n8k16.f32.bf16.bf16.rs\", "
                               "\"tiles\": 1, \"seed\": 1, \"regimes\": [], \"provenance\": {\"device\": \"model\"}}";
    char file[SCRATCH_PATH];
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < sizeof part / sizeof *part; i++) {
        snprintf(file, sizeof file, "%s/%s", path, part[i].name);
        s = npy_write(file, part[i].type, 3, part[i].shape, zero, e);
    }
    snprintf(file, sizeof file, "%s/capture.json", path);
    return s == STATUS_OK ? file_write(file, json, sizeof json - 1, e) : s;
}

const struct folder folder_layout = {make_layout, "layout.json", "scales.npy"};
const struct folder folder_emit = {make_emit, "emit.json", "run.json"};
const struct folder folder_capture = {make_capture, "capture.json", "d.npy"};

/* Not file_write: no reader sees this file while it is written. */
static void put(const char *name, const uint8_t *bytes, size_t size)
{
    char path[SCRATCH_PATH];
    FILE *file = fopen(scratch_path(&state, name, path), "wb");
    assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void at_end(void)
{
    scratch_teardown(&state);
}

const char *folder_case(const struct folder *f, const uint8_t *bytes, size_t size)
{
    static uint8_t *sound;
    static size_t sound_size;
    struct error e;
    char path[SCRATCH_PATH];
    if (!state) {
        int failed = (access("/dev/shm", W_OK) == 0 && setenv("TMPDIR", "/dev/shm", 0)) || scratch_setup(&state);
        assert(!failed && f->make(state, &e) == STATUS_OK);
        assert(file_read(scratch_path(&state, f->second, path), 0, &sound, &sound_size, &e) == STATUS_OK);
        atexit(at_end);
    }
    const uint8_t *end = size ? memchr(bytes, 0, size) : NULL;
    put(f->json, bytes, end ? (size_t)(end - bytes) : size);
    if (end)
        put(f->second, end + 1, size - (size_t)(end - bytes) - 1);
    else
        put(f->second, sound, sound_size);
    return state;
}

/* A file that the JSON names, and that does not lie there. */
static bool names_nothing(const char *line)
{
    return strstr(line, ": cannot open: No such file or directory") || strstr(line, ": no output of pass ");
}

void folder_check_refusal(const char *path, enum status s, const char *line)
{
    assert(s == STATUS_BAD_INPUT || s == STATUS_BAD_ARGUMENT || s == STATUS_UNSUPPORTED ||
           (s == STATUS_IO && names_nothing(line)));
    assert(!strncmp(line, path, strlen(path)));
    for (const char *p = line; *p; p++)
        assert((unsigned char)*p >= ' ');
}
