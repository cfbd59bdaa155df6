/* plugin_bad: a right product in bf16 that goes wrong as FO_BAD says. One object, many ways. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle/fragoracle.h"

static struct fo_plugin_weights w;
static int launches;
static volatile uintptr_t nowhere = 16;

static int bad(const char *how)
{
    const char *asked = getenv("FO_BAD");
    return asked && strcmp(asked, how) == 0;
}

static void hang(void)
{
    for (;;)
        pause();
}

static void die(void)
{
    *(volatile int *)nowhere = 1;
}

/* Through a pointer that changes, so that no compiler sees the end of it, which is none. */
static int overflow(int depth);
static int (*volatile again)(int) = overflow;

static int overflow(int depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    return again(depth + 1) + room[0];
}

/* A process of the process, whose number goes to the file FO_BAD_PID. */
static void family(void)
{
    pid_t pid = fork();
    if (pid == 0)
        hang();
    FILE *f = fopen(getenv("FO_BAD_PID"), "w");
    if (!f || fprintf(f, "%d\n", (int)pid) < 0 || fclose(f) != 0)
        exit(9);
    hang();
}

static float widen(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Rounds to nearest even; good for finite sums, and for NaN and Inf as they come. */
static uint16_t narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int create(void **self)
{
    (void)self;
    if (bad("crash-create"))
        die();
    return bad("create-fails") ? 7 : 0;
}

static int load(void *self, const struct fo_plugin_weights *weights)
{
    (void)self;
    w = *weights;
    if (bad("crash-load"))
        die();
    if (bad("hang-load"))
        hang();
    if (bad("write-weights"))
        *(volatile uint8_t *)w.values = 1;
    return bad("load-fails") ? -5 : 0;
}

static void product(const struct fo_plugin_launch *l)
{
    memset(l->out, 0, l->rows * w.N * sizeof *l->out);
    for (uint64_t a = 0; a < l->active; a++)
        for (uint64_t p = l->starts[a]; p < l->starts[a + 1]; p++)
            for (uint64_t n = 0; n < w.N; n++) {
                const uint16_t *row = (const uint16_t *)w.values + ((uint64_t)l->ids[a] * w.N + n) * w.K;
                float sum = 0;
                for (uint64_t k = 0; k < w.K; k++)
                    sum += widen(l->x[p * w.K + k]) * widen(row[k]);
                l->out[p * w.N + n] = narrow(sum);
            }
}

/* Ways that end, or do not. */
static void before_product(const struct fo_plugin_launch *l)
{
    if (bad("crash-run") || (bad("crash-second") && launches == 2))
        die();
    if (bad("abort"))
        abort();
    if (bad("kill"))
        raise(SIGSEGV);
    if (bad("overflow"))
        overflow(0);
    if (bad("hang"))
        hang();
    if (bad("hang-family"))
        family();
    if (bad("exit"))
        exit(0);
    if (bad("close")) {
        close(3);
        hang();
    }
    if (bad("unprotect"))
        mprotect((void *)((uintptr_t)l->x & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE);
    if (bad("write-x") || bad("unprotect"))
        ((volatile uint16_t *)(uintptr_t)l->x)[3] = 1;
    if (bad("write-starts"))
        ((volatile uint32_t *)(uintptr_t)l->starts)[0] = 1;
    if (bad("write-past-ids"))
        ((volatile int32_t *)(uintptr_t)l->ids)[l->active] = 1;
}

static void after_product(const struct fo_plugin_launch *l)
{
    size_t n = l->rows * w.N;
    if (bad("before"))
        memset((char *)l->out - 4, 0, 4);
    if (bad("after"))
        memset(l->out + n, 0, 16);
    if (bad("after-one"))
        ((char *)(l->out + n))[0] = 0;
    if (bad("far"))
        memset((char *)(l->out + n) + 4096, 0, 8);
    if (bad("past-status"))
        l->status[1] = 0;
    if (bad("nan"))
        for (size_t i = 0; i < n; i++)
            l->out[i] = 0x7fff;
    if (bad("random"))
        l->out[launches % (int)n] ^= (uint16_t)(launches % 2 ? 0x40 : 0x20);
    if (bad("status") || (bad("status-first") && launches == 1))
        *l->status = 3;
}

static int run(void *self, const struct fo_plugin_launch *l)
{
    (void)self;
    launches++;
    before_product(l);
    if (bad("fails"))
        return 42;
    if (bad("prints")) {
        printf("{\"verdict\": \"noise\"}\n");
        fflush(stdout);
    }
    uint16_t kept = l->out[l->rows * w.N - 1];
    product(l);
    if (bad("unwritten"))
        l->out[l->rows * w.N - 1] = kept;
    after_product(l);
    return 0;
}

static void destroy(void *self)
{
    (void)self;
    if (bad("crash-destroy"))
        die();
    if (bad("hang-destroy"))
        hang();
}

const struct fo_plugin *fo_plugin_open(void)
{
    static struct fo_plugin p = {.version = FO_PLUGIN_VERSION,
                                 .size = sizeof p,
                                 .name = "bad",
                                 .type = FO_WEIGHT_BF16,
                                 .segments = FO_SEGMENTS_LEGAL,
                                 .create = create,
                                 .destroy = destroy,
                                 .load = load,
                                 .run = run};
    if (bad("crash-open"))
        die();
    if (bad("hang-open"))
        hang();
    if (bad("exit-open"))
        exit(0);
    if (bad("null"))
        return NULL;
    p.version += bad("version");
    p.size -= 8 * (uint32_t)bad("size");
    if (bad("no-run"))
        p.run = NULL;
    if (bad("no-load"))
        p.load = NULL;
    if (bad("type"))
        p.type = (enum fo_weight_type)77;
    if (bad("layout"))
        p.layout = FO_LAYOUT_HOPPER;
    if (bad("segments"))
        p.segments = (enum fo_segments)3;
    return &p;
}
