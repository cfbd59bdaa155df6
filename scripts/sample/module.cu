// The smallest kernel that `fragoracle probe coded --subject module:module.ptx` can ask: a grouped product in plain
// arguments, one thread an output, no tensor core. module.json says how it is launched.
//     nvcc -ptx -arch compute_90 scripts/sample/module.cu -o module.ptx

__device__ float decode(unsigned code, unsigned char scale)
{
    const float values[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    if (scale == 255)
        return __int_as_float(0x7fffffff);
    return ldexpf(code & 8 ? -values[code & 7] : values[code & 7], scale - 127);
}

// Nearest, ties to even; every NaN is 0x7fff.
__device__ unsigned short round_to_bf16(float value)
{
    unsigned bits = __float_as_uint(value);
    return value != value ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// An output starts at +0, takes k in ascending order, and is rounded once.
extern "C" __global__ void grouped_product(const unsigned short *x, const unsigned char *blocks,
                                           const unsigned char *scales, const unsigned *starts, const int *ids,
                                           unsigned short *out, unsigned *status, unsigned P, unsigned N, unsigned K,
                                           unsigned E, unsigned A)
{
    unsigned n = blockIdx.x * blockDim.x + threadIdx.x, p = blockIdx.y, a = 0;
    if (n >= N)
        return;
    while (a < A && !(starts[a] <= p && p < starts[a + 1]))
        a++;
    float sum = 0;
    if (a < A && ids[a] >= 0 && ids[a] < (int)E) {
        size_t row = (size_t)ids[a] * N + n;
        for (unsigned k = 0; k < K; k++) {
            unsigned char pair = blocks[row * (K / 2) + k / 2];
            sum += __uint_as_float((unsigned)x[(size_t)p * K + k] << 16) *
                   decode(k % 2 ? pair >> 4 : pair & 15, scales[row * (K / 32) + k / 32]);
        }
    }
    out[(size_t)p * N + n] = round_to_bf16(sum);
    if (p == 0 && n == 0)
        for (*status = 0, a = A; a-- > 0;)
            if (ids[a] < 0 || ids[a] >= (int)E)
                *status = a + 1;
}
