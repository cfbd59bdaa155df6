/* What a matrix descriptor names, on hardware: random bytes in shared memory, random strides, every swizzle, K-major
 * and MN-major; D of one wgmma must be the product of A with the bytes that descriptor_chunk names, bit for bit. Exits
 * 77 without a Hopper GPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/exec/machine.h"
#include "reference/descriptor.h"
#include "reference/fragment.h"
#include "reference/tile_product.h"
#include "tests/agree/descriptor_kernel.h"
#include "tests/support/splitmix.h"

enum { SKIPPED = 77 };
static struct machine gpu;
static bool have_gpu;

#ifdef FO_HAVE_DESCRIPTOR_KERNEL
enum { N = 64, K = 16, M = 64, THREADS = 128, CASES = 96, CHUNK = 16, ELEMENTS = CHUNK / 2 };

/* How a case draws its strides. */
enum drawing { ATOMS, ANY_STRIDE, ANY_START };
static const char *const drawing_name[] = {"whole atoms", "strides of 16 bytes", "starts of 16 bytes"};

/* bf16 between 2^-4 and 2^4, so that every product counts. */
static uint16_t random_bf16(struct splitmix *random)
{
    return (uint16_t)(splitmix_below(random, 2) << 15 | (123 + splitmix_below(random, 9)) << 7 |
                      splitmix_below(random, 128));
}

/* Every chunk must lie in the image. */
static bool inside(const struct descriptor *d, bool mn)
{
    for (uint32_t outer = 0; outer < (mn ? K : N); outer++)
        for (uint32_t inner = 0; inner < (uint32_t)(mn ? N : K) / ELEMENTS; inner++)
            if (descriptor_chunk(d, mn, outer, inner) > DESCRIPTOR_IMAGE - CHUNK)
                return false;
    return true;
}

static uint64_t draw(struct splitmix *random, uint32_t swizzle, bool mn, enum drawing how)
{
    uint32_t atom = how == ATOMS ? 8 * (swizzle ? swizzle : CHUNK) : CHUNK;
    uint64_t bits;
    struct descriptor d;
    do {
        uint32_t most = DESCRIPTOR_IMAGE / 4 / atom;
        d = (struct descriptor){.start = (uint32_t)splitmix_below(random, 8) * 1024,
                                .leading = (1 + (uint32_t)splitmix_below(random, most)) * atom,
                                .stride = (1 + (uint32_t)splitmix_below(random, most / (mn ? 1 : 4) + 1)) * atom,
                                .swizzle = swizzle};
        if (how == ANY_START)
            d.start += (uint32_t)splitmix_below(random, 64) * CHUNK;
    } while (!inside(&d, mn));
    assert_int_equal(descriptor_encode(&d, &bits, NULL), STATUS_OK);
    return bits;
}

/* B [N][K] as the descriptor names it. */
static void gather(const uint8_t *image, uint64_t bits, bool mn, uint32_t b[N * K])
{
    struct descriptor d = descriptor_decode(bits);
    for (uint32_t n = 0; n < N; n++)
        for (uint32_t k = 0; k < K; k++) {
            uint32_t outer = mn ? k : n, along = mn ? n : k;
            uint16_t value;
            memcpy(&value, image + descriptor_chunk(&d, mn, outer, along / ELEMENTS) + along % ELEMENTS * 2,
                   sizeof value);
            b[n * K + k] = value;
        }
}

static size_t differing(const uint32_t *registers, const uint32_t *b, const float *found)
{
    struct wgmma_op op;
    struct layout a_map, d_map;
    struct tile_product product;
    uint32_t a[M * K];
    size_t wrong = 0;
    assert_int_equal(wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, NULL), STATUS_OK);
    assert_int_equal(fragment_map(&op, FRAGMENT_A, &a_map, NULL), STATUS_OK);
    assert_int_equal(fragment_map(&op, FRAGMENT_D, &d_map, NULL), STATUS_OK);
    for (uint32_t code = 0; code < M * K; code++) {
        struct point slot = box_point(&a_map.domain, code), at = layout_apply(&a_map, &slot);
        a[at.at[0] * K + at.at[1]] = registers[slot.at[0] * 4 + slot.at[1]] >> 16 * slot.at[2] & 0xffff;
    }
    assert_int_equal(tile_product_make(&op, NULL, &product, NULL), STATUS_OK);
    tile_product_step(&product, a, b);
    for (uint32_t code = 0; code < M * N; code++) {
        struct point slot = box_point(&d_map.domain, code), at = layout_apply(&d_map, &slot);
        uint32_t bits;
        memcpy(&bits, &found[code], sizeof bits);
        wrong += !tile_product_holds(&product, at.at[0], at.at[1], bits);
    }
    tile_product_free(&product);
    return wrong;
}

/* CASES products of one swizzle, one majorness, one way to draw. Returns the cases that differ. */
static size_t ask(struct splitmix *random, uint32_t swizzle, bool mn, enum drawing how)
{
    uint16_t *image = malloc((size_t)CASES * DESCRIPTOR_IMAGE);
    uint32_t *registers = malloc((size_t)CASES * THREADS * 4 * sizeof *registers), b[N * K];
    float *out = malloc((size_t)CASES * M * N * sizeof *out);
    uint64_t bits[CASES];
    size_t wrong = 0;
    assert_true(image && registers && out);
    for (size_t i = 0; i < (size_t)CASES * DESCRIPTOR_IMAGE / 2; i++)
        image[i] = random_bf16(random);
    for (size_t i = 0; i < (size_t)CASES * THREADS * 4; i++)
        registers[i] = (uint32_t)random_bf16(random) << 16 | random_bf16(random);
    for (size_t i = 0; i < CASES; i++)
        bits[i] = draw(random, swizzle, mn, how);
    assert_int_equal(descriptor_kernel_run(mn, CASES, (const uint8_t *)image, bits, registers, out), 0);
    for (size_t i = 0; i < CASES; i++) {
        gather((const uint8_t *)image + i * DESCRIPTOR_IMAGE, bits[i], mn, b);
        size_t values = differing(registers + i * THREADS * 4, b, out + i * M * N);
        if (values && wrong++ == 0)
            print_message("descriptor 0x%016llx: %zu of %d values differ\n", (unsigned long long)bits[i], values,
                          M * N);
    }
    free(image);
    free(registers);
    free(out);
    return wrong;
}

static void descriptor_every_layout_names_what_the_reference_says(void **state)
{
    (void)state;
    if (!have_gpu)
        skip();
    static const uint32_t swizzles[] = {0, 32, 64, 128};
    struct splitmix random = {splitmix_seed()};
    size_t ran = 0, wrong = 0;
    for (int mn = 0; mn < 2; mn++)
        for (size_t s = 0; s < 4; s++)
            for (int how = ATOMS; how <= ANY_START; how++, ran += CASES) {
                size_t here = ask(&random, swizzles[s], mn, (enum drawing)how);
                print_message("%s, swizzle %u, %s: %zu of %d products differ\n", mn ? "MN-major" : "K-major",
                              swizzles[s], drawing_name[how], here, CASES);
                wrong += here;
            }
    assert_int_equal(ran, 24 * CASES);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    struct error e;
    have_gpu = machine_gpu(&gpu, &e) == STATUS_OK;
    if (!have_gpu)
        print_message("not run: %s\n", e.why);
    const struct CMUnitTest tests[] = {cmocka_unit_test(descriptor_every_layout_names_what_the_reference_says)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed ? failed : have_gpu ? 0 : SKIPPED;
}
#else
int main(void)
{
    struct error e;
    have_gpu = machine_gpu(&gpu, &e) == STATUS_OK;
    fprintf(stderr, "not run: %s\n", have_gpu ? "built without CUDA" : e.why);
    return SKIPPED;
}
#endif
