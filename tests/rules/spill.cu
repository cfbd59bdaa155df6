/* spill: not part of the product. A kernel that keeps 64 values alive in 24 registers: scripts/ptxas_check.sh must fail
 * on it. */
extern "C" __global__ void __maxnreg__(24) spill(float *p)
{
    float v[64];
    for (int i = 0; i < 64; i++)
        v[i] = p[i * 1024 + threadIdx.x];
    __syncthreads();
    for (int i = 0; i < 64; i++)
        p[i * 1024 + threadIdx.x + 7] = v[63 - i] * v[i];
}
