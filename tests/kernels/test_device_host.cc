/* The macros of fragoracle_device.h on the host: threads are a loop (mock/cuda_runtime.h), so that what they record is
 * tested to the last word without a GPU. What they leave in machine code is another test (rules/sass). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define __CUDACC__ 1
#define __device__
#define __host__
#define __forceinline__ inline
#define FRAGORACLE_TAP
#include "tests/kernels/mock/cuda_runtime.h"

#include "kernels/fragoracle_device.h"
#undef __CUDACC__

#define OP "wgmma.m64n8k16.f32.bf16.bf16.rs"

FO_CAPTURE_EXPORT(test)
extern "C" int test_device_host_launch(int what, unsigned blocks, unsigned threads_y);
extern "C" void test_device_host_break(int calls);
extern "C" long test_device_host_live(void);

static uint16_t matrix16[128 * 32];
static uint32_t matrix32[64 * 8];
static uint8_t matrix8[64 * 32];

/* Thread t of block b, time i: words that say so. */
static void record(unsigned time)
{
    uint32_t who = fo_thread() | blockIdx.y << 16, a[4] = {who, time, 2, 3};
    float d[2][2] = {{1.0f, 2.0f}, {3.0f, (float)time}};
    int negative = -1;
    FO_TAP(7, OP, "A", a);
    FO_TAP(7, OP, "D", d);
    FO_TAP_INTO(9, 3, OP, "P", who, negative, 2.5f);
    FO_TAP(4, OP, "B", FO_REGS(&a[1], 2));
    if (time % 2 == 0)
        FO_TAP(4, OP, "B", a); /* other words: another stream */
}

/* A as the contract wants it, but for one register of thread 77. */
template <class T>
static void assert_a(uint32_t site, const T *matrix, uint32_t ld, uint32_t flip, uint64_t rows, uint32_t m0 = 0)
{
    const uint32_t bits = 8 * sizeof(T);
    uint32_t r[4] = {}, t = fo_thread() % 128;
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t part = 0; part < 32 / bits; part++) {
            uint32_t row = m0 + fo_a_row(t, i);
            uint64_t element = row < rows ? matrix[row * ld + fo_a_column(t, i, part, bits)] : 0;
            r[i] |= (uint32_t)(element << part * bits);
        }
    if (t == 77)
        r[2] ^= flip;
    FO_ASSERT_A_BOUNDED(site, OP, r[0], r[1], r[2], r[3], matrix, ld, m0, 0, rows, FO_UNBOUNDED);
}

static void assertions(void)
{
    assert_a(0, matrix16, 32, 0, 64);
    assert_a(1, matrix16, 32, 0x10001, 64);
    assert_a(2, matrix32, 8, 0x1fff, 64); /* the bits that tf32 ignores */
    assert_a(3, matrix32, 8, 0x2000, 64);
    assert_a(4, matrix8, 32, 0xff000000, 64);
    assert_a(5, matrix16, 32, 0, 104, 64);
    assert_a(6, matrix16, 32, 0x10000, 30); /* row 35 is beyond the end: zero is expected there */
    uint32_t t = fo_thread() % 128, s32[4], f16[2];
    for (uint32_t i = 0; i < 4; i++)
        s32[i] = matrix32[fo_d_row(t, i) * 8 + fo_d_column(t, i)] + (t == 77 && i == 3);
    for (uint32_t i = 0; i < 2; i++)
        f16[i] = matrix16[(fo_d_row(t, 2 * i)) * 32 + 16 + fo_d_column(t, 2 * i)] |
                 (uint32_t)matrix16[(fo_d_row(t, 2 * i)) * 32 + 16 + fo_d_column(t, 2 * i + 1)] << 16;
    if (t == 77)
        f16[1] ^= 0x80000000;
    FO_ASSERT_D(0, OP, s32, matrix32, 8, 0, 0);
    FO_ASSERT_D(1, OP, f16, matrix16, 32, 0, 16);
    FO_ASSERT_D_BOUNDED(2, OP, s32, matrix32, 8, 0, 0, 40, 3);
    FO_ASSERT_D(3, OP, s32, (const uint32_t *)NULL, 8, 0, 0);
}

int test_device_host_launch(int what, unsigned blocks, unsigned threads_y)
{
    for (uint32_t i = 0; i < 128 * 32; i++)
        matrix16[i] = (uint16_t)(i * 7 + 1);
    for (uint32_t i = 0; i < 64 * 32; i++)
        matrix8[i] = (uint8_t)(i * 5 + 1);
    for (uint32_t i = 0; i < 64 * 8; i++)
        matrix32[i] = i * 0x10000001 + 5;
    gridDim.x = 1, gridDim.y = blocks;
    blockDim.x = 64, blockDim.y = threads_y;
    int threads = 0;
    for (blockIdx.y = 0; blockIdx.y < blocks; blockIdx.y++)
        for (threadIdx.y = 0; threadIdx.y < threads_y; threadIdx.y++)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++, threads++) {
                if (what)
                    assertions();
                else
                    for (unsigned time = 0; time < 1 + threadIdx.x % 4; time++)
                        record(time);
            }
    return threads;
}

void test_device_host_break(int calls)
{
    mock_calls_left = calls;
}

long test_device_host_live(void)
{
    return mock_live;
}
