"""D = W X with W int8, widened to bf16 in registers: a small Triton kernel to attach to, see oracle/ATTACH.md.

    python3 scripts/attach/triton_int8.py FOLDER        writes w.npy [M,K], x.npy [K,N], d.npy [M,N]

Exit status: 0 the result is right, 1 it is wrong. Needs a Hopper GPU, torch and triton."""
import os
import sys

import numpy
import torch
import triton
import triton.language as tl

M, N, K = 128, 64, 256


# On Hopper Triton keeps the result of a conversion in registers: this dot becomes wgmma with A from registers.
@triton.jit
def matmul(w, x, d, K: tl.constexpr, N: tl.constexpr, TILE_M: tl.constexpr, TILE_K: tl.constexpr):
    row = tl.program_id(0) * TILE_M + tl.arange(0, TILE_M)[:, None]
    column = tl.arange(0, N)[None, :]
    k = tl.arange(0, TILE_K)
    total = tl.zeros((TILE_M, N), tl.float32)
    for k0 in range(0, K, TILE_K):
        a = tl.load(w + row * K + k0 + k[None, :])
        b = tl.load(x + (k0 + k[:, None]) * N + column)
        total = tl.dot(a.to(tl.bfloat16), b, total)
    tl.store(d + row * N + column, total)


def save(folder, name, values):
    """bf16 goes out as its bits, which numpy has no type for."""
    if values.dtype == torch.bfloat16:
        numpy.save(os.path.join(folder, name), values.view(torch.int16).cpu().numpy().view(numpy.uint16))
    else:
        numpy.save(os.path.join(folder, name), values.cpu().numpy())


def main(folder):
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(1)
    # Integers times multiples of 1/64 below 2: every sum is exact, in any order.
    w = torch.randint(-8, 8, (M, K), dtype=torch.int8).cuda()
    x = (torch.randint(-128, 128, (K, N)) / 64).to(torch.bfloat16).cuda()
    d = torch.empty((M, N), dtype=torch.float32, device="cuda")
    matmul[(M // 64,)](w, x, d, K, N, TILE_M=64, TILE_K=64, num_warps=4)
    save(folder, "w.npy", w.to(torch.bfloat16))
    save(folder, "x.npy", x)
    save(folder, "d.npy", d)
    differing = int((d.cpu().double() != w.cpu().double() @ x.cpu().double()).sum())
    print(f"triton_int8: {differing} of {M * N} values of D are wrong")
    return int(differing != 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: triton_int8.py FOLDER")
    sys.exit(main(sys.argv[1]))
