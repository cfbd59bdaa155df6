/* serialise: not part of the product. A wgmma of register A that ptxas has to serialise because its pipeline crosses a
 * call (C7510), and that makes it inject an arrive (C7519) and a wait (C7517); with CLEAN defined, the twin in which
 * the same instruction is issued in line. scripts/ptxas_check.sh must fail on the first and pass the second.
 * source: output of ptxas 13.0. */
#include <stdint.h>

#ifdef CLEAN
#define ISSUE __device__ __forceinline__
#else
#define ISSUE __device__ __noinline__
#endif

ISSUE void issue(float (&d)[4], const uint32_t (&a)[4], uint64_t b)
{
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, {%4, %5, %6, %7}, %8, 1, 1, 1, 0;"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

extern "C" __global__ void serialise(const uint32_t *a_in, float *out, uint64_t b)
{
    float d[4] = {0, 0, 0, 0};
    uint32_t a[4];
    for (int i = 0; i < 4; i++)
        a[i] = a_in[threadIdx.x * 4 + i];
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    issue(d, a, b);
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    for (int i = 0; i < 4; i++)
        out[threadIdx.x * 4 + i] = d[i];
}
