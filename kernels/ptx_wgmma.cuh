/* ptx_wgmma: thin wrappers of the wgmma instructions and of what must stand around them.
 * source: PTX ISA 9.0, "Asynchronous Warpgroup Level Matrix Instructions". */
#ifndef FO_KERNELS_PTX_WGMMA_CUH
#define FO_KERNELS_PTX_WGMMA_CUH

#include <stdint.h>

/* Orders register writes before the wgmma that follows: ahead of the first one, and whenever A or D registers changed.
 */
__device__ __forceinline__ void wgmma_fence()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/* Until every committed group is complete: only then may A registers change and D registers be read. */
__device__ __forceinline__ void wgmma_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

/* Pins a value to this point of the program: whatever computes it comes before, whatever uses it after. The fence
 * orders memory, not arithmetic on registers: unpinned, the compiler sinks the decode past it and ptxas injects an
 * arrive (C7519). */
__device__ __forceinline__ void wgmma_pin(uint32_t &reg)
{
    asm volatile("" : "+r"(reg)::"memory");
}
__device__ __forceinline__ void wgmma_pin(float &reg)
{
    asm volatile("" : "+f"(reg)::"memory");
}

/* Changes a register in place, at this point of the program. */
__device__ __forceinline__ void wgmma_spoil(uint32_t &reg)
{
    asm volatile("not.b32 %0, %0;" : "+r"(reg)::"memory");
}

/* Makes ordinary shared-memory stores of this thread visible to the asynchronous proxy, through which wgmma reads.
 * Before the barrier, in every thread that wrote. */
__device__ __forceinline__ void fence_proxy_async()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/* Matrix descriptor of a K-major tile with the 128-byte swizzle: rows of 128 bytes, 1024 bytes from one group of eight
 * rows to the next. address: shared-window address, the base 1024-aligned; a k16 step is 32 bytes further.
 *
 *     bits 13..0 address/16   29..16 leading offset/16 (unused here)   45..32 stride offset/16 = 64   63..62 swizzle =
 * 1 */
__device__ __forceinline__ uint64_t wgmma_descriptor_sw128(uint32_t address)
{
    return (uint64_t)((address & 0x3ffffu) >> 4) | (uint64_t)1 << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}

#define WGMMA_D8(d, i)                                                                                                 \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]),        \
        "+f"(d[i + 7])
#define WGMMA_D32(d) WGMMA_D8(d, 0), WGMMA_D8(d, 8), WGMMA_D8(d, 16), WGMMA_D8(d, 24)
#define WGMMA_LIST32                                                                                                   \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                                          \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}"

/* D += A * B with D as accumulator (scale-d = 1), A from registers. */
__device__ __forceinline__ void wgmma_m64n64k16_bf16_rs(float (&d)[32], const uint32_t (&a)[4], uint64_t b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " WGMMA_LIST32
                 ", {%32, %33, %34, %35}, %36, 1, 1, 1, 0;"
                 : WGMMA_D32(d)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

/* The same with A from shared memory. */
__device__ __forceinline__ void wgmma_m64n64k16_bf16_ss(float (&d)[32], uint64_t a, uint64_t b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " WGMMA_LIST32 ", %32, %33, 1, 1, 1, 0, 0;"
                 : WGMMA_D32(d)
                 : "l"(a), "l"(b));
}

__device__ __forceinline__ void wgmma_m64n8k16_bf16_rs(float (&d)[4], const uint32_t (&a)[4], uint64_t b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, {%4, %5, %6, %7}, %8, "
                 "1, 1, 1, 0;"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

#endif
