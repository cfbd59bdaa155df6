/* The path of accumulate_tile for x86 processors with AVX2. Only its functions are compiled for them. */
#include <string.h>

#include "reference/accumulate_paths.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define LANES_BYTES        32
#define LANES_TARGET       __attribute__((target("avx2")))
#define LANES_LARGER(a, b) ((shorts)_mm256_max_epi16((__m256i)(a), (__m256i)(b)))
#define LANES_LESS(a, b)   ((shorts)_mm256_subs_epu16((__m256i)(a), (__m256i)(b)))
#define LANES_ANY(a)       (_mm256_movemask_epi8((__m256i)(a)) != 0)
#include "reference/accumulate_lanes.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx2");
}

#else

static bool usable(void)
{
    return false;
}

#define lanes_tile NULL

#endif

const struct accumulate_path accumulate_path_avx2 = {"avx2", usable, lanes_tile};
