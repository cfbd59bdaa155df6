#!/bin/sh
# mma: one tile of one operation, against sums that Python has exactly.
. tests/cli/lib.sh

# Matrices of whole numbers and D, for every line of `cases`: name, operation, options.
cat >"$scratch/tile.py" <<'PYTHON'
import random, struct, sys
folder = sys.argv[1]
random.seed(7)

# Of a type: its array, bytes of an element, and the bits of a whole number.
def byte_float(exponents, fraction):
    bias = (1 << exponents - 1) - 1
    def bits(x):
        if x == 0:
            return 0
        top = abs(x).bit_length() - 1
        cut = (abs(x) << fraction >> top) - (1 << fraction)
        return (x < 0) << 7 | (top + bias) << fraction | cut
    return bits
f32 = lambda x: struct.unpack("<I", struct.pack("<f", x))[0]
types = {
    "bf16": ("<u2", 2, lambda x: f32(x) >> 16), "f16": ("<u2", 2, lambda x: struct.unpack("<H", struct.pack("<e", x))[0]),
    "tf32": ("<f4", 4, f32), "f32": ("<f4", 4, f32), "s32": ("<i4", 4, lambda x: x & 0xffffffff),
    "s8": ("|i1", 1, lambda x: x & 255), "u8": ("|u1", 1, lambda x: x & 255),
    "e4m3": ("|u1", 1, byte_float(4, 3)), "e5m2": ("|u1", 1, byte_float(5, 2)),
}

def write(path, type, rows, columns, values):
    descr, size, bits = types[type]
    head = "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }" % (descr, rows, columns)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode())
        f.write(b"".join(bits(x).to_bytes(size, "little") for x in values))

for line in open(folder + "/cases"):
    name, op, *options = line.split()
    shape, d_type, a_type, b_type = op.split(".")[1:5]
    M, NK = shape[1:].split("n")
    N, K = NK.split("k")
    M, N, K = int(M), int(N), int(K)
    draw = lambda type: random.choice([x for x in range(-4, 5) if type != "u8" or x >= 0])
    a = [draw(a_type) for _ in range(M * K)]
    b = [draw(b_type) for _ in range(K * N)]
    c = [random.randrange(-900, 901) for _ in range(M * N)]
    if name.startswith("end"):  # both ends of s32: products of one sign against a C at that end
        a = [127 if m % 2 else (0 if a_type == "u8" else -128) for m in range(M) for _ in range(K)]
        b = [100] * (K * N)
        c = [(2**31 - 1000 if m % 2 else -2**31 + 1000) for m in range(M) for _ in range(N)]
    sign = -1 if ("--neg-a" in options) != ("--neg-b" in options) else 1
    adds = "zero" not in name and "0" not in options
    d = [sign * sum(a[m * K + k] * b[k * N + n] for k in range(K)) + (c[m * N + n] if adds else 0)
         for m in range(M) for n in range(N)]
    if "--sat" in options:
        d = [min(max(x, -2**31), 2**31 - 1) for x in d]
    write(folder + "/%s.a.npy" % name, a_type, M, K, a)
    write(folder + "/%s.b.npy" % name, b_type, K, N, b)
    write(folder + "/%s.c.npy" % name, d_type, M, N, c)
    write(folder + "/%s.want.npy" % name, d_type, M, N, d)
PYTHON

cat >"$scratch/cases" <<'CASES'
w1 wgmma.m64n8k16.f32.bf16.bf16.rs
w2 wgmma.m64n256k16.f32.bf16.bf16.ss --neg-a --trans-b
w3 wgmma.m64n24k16.f32.f16.f16.rs --neg-b --trans-b
w4 wgmma.m64n16k16.f16.f16.f16.ss --neg-a --neg-b
w5 wgmma.m64n8k8.f32.tf32.tf32.rs --scale-d 0
w6 wgmma.m64n32k32.f32.e4m3.e5m2.rs --scale-d 1
w7 wgmma.m64n8k32.f16.e5m2.e4m3.ss --neg-a
w8 wgmma.m64n48k32.s32.s8.u8.rs --sat
w9 wgmma.m64n8k32.s32.u8.s8.ss --scale-d 0
zero1 wgmma.m64n8k16.f32.f16.f16.rs
zero2 mma.m16n8k8.f32.bf16.bf16
m1 mma.m16n8k16.f32.bf16.bf16
m2 mma.m16n8k8.f16.f16.f16
m3 mma.m16n8k4.f32.tf32.tf32
m4 mma.m16n8k32.f32.e5m2.e5m2
m5 mma.m16n8k16.f16.e4m3.e4m3
m6 mma.m16n8k32.s32.u8.u8
end1 mma.m16n8k32.s32.s8.s8
end2 mma.m16n8k16.s32.s8.u8 --sat
end3 wgmma.m64n8k32.s32.s8.s8.rs --sat
end4 wgmma.m64n8k32.s32.s8.u8.ss
CASES
python3 "$scratch/tile.py" "$scratch" || exit 2

done=0
while read -r name op options; do
    c="--c $scratch/$name.c.npy"
    case $name in zero*) c= ;; esac
    # shellcheck disable=SC2086
    run 0 mma $op --a "$scratch/$name.a.npy" --b "$scratch/$name.b.npy" $c --out "$scratch/d.npy" $options
    says "$op on model: "
    holds "$name: D" cmp "$scratch/d.npy" "$scratch/$name.want.npy"
    done=$((done + 1))
done <"$scratch/cases"
holds "every case ran" test "$done" -eq 21

# What is said of it
bf16="wgmma.m64n8k16.f32.bf16.bf16.rs --a $scratch/w1.a.npy --b $scratch/w1.b.npy"
rm "$scratch/d.npy"
run 0 mma $bf16 --c "$scratch/w1.c.npy" --out "$scratch/d.npy"
says "bf16.rs on model: bit-exact model"
says "A 64x16 bf16, B 16x8 bf16, C f32, scale-d 1"
says "NaN 0, Inf 0, SHA-256 $(tail -c 2048 "$scratch/d.npy" | sha256sum | cut -c 1-64)"
run 0 mma wgmma.m64n24k16.f32.f16.f16.rs --a "$scratch/w3.a.npy" --b "$scratch/w3.b.npy" --out "$scratch/d.npy"
says "f16.rs on model: approximate, tensor-core arithmetic of f16 is read, not measured"
says "C zeros"
run 0 mma $bf16 --out "$scratch/d.npy" --neg-b --scale-d 0 --json
holds "the JSON answer" python3 - "$scratch/stdout" <<'PYTHON'
import json, sys
j = json.load(open(sys.argv[1]))
assert j["schema"] == "fragoracle.mma/1" and j["op"] == "wgmma.m64n8k16.f32.bf16.bf16.rs"
assert j["fidelity"] == "bit-exact model" and j["reason"] is None and j["executor"] == "model"
assert j["shape"] == {"M": 64, "N": 8, "K": 16}
assert j["options"] == {"scale_d": 0, "neg_a": False, "neg_b": True, "trans_b": False, "sat": False}
assert j["c"] is None and j["d"]["shape"] == [64, 8] and j["d"]["array"] == "<f4" and len(j["d_sha256"]) == 64
assert j["b"]["shape"] == [16, 8] and j["b"]["type"] == "bf16" and j["notes"] == []
PYTHON

run 0 mma $bf16 --out "$scratch/d.npy" --neg-b --trans-b --json
holds "trans-b" grep -q '"trans_b": true' "$scratch/stdout"
run 0 mma $bf16 --out "$scratch/d.npy" --neg-b --trans-b
says "scale-d 1, neg-b, trans-b"

# What cannot be leaves nothing
rm "$scratch/d.npy"
trouble "$scratch/w1.b.npy: A: wanted <u2 (64, 16), found <u2 (16, 8)" \
    mma wgmma.m64n8k16.f32.bf16.bf16.rs --a "$scratch/w1.b.npy" --b "$scratch/w1.b.npy" --out "$scratch/d.npy"
trouble "$scratch/w4.c.npy: C: wanted <f4 (64, 8), found <u2 (64, 16)" \
    mma $bf16 --c "$scratch/w4.c.npy" --out "$scratch/d.npy"
trouble "$scratch/w9.b.npy: B: wanted |u1 (32, 8), found |i1 (32, 8)" mma wgmma.m64n8k32.s32.u8.u8.ss \
    --a "$scratch/w9.a.npy" --b "$scratch/w9.b.npy" --out "$scratch/d.npy"
trouble "$scratch/none.npy" mma $bf16 --c "$scratch/none.npy" --scale-d 0 --out "$scratch/d.npy"
trouble "scale-d: 'x' is neither 0 nor 1" mma $bf16 --scale-d x --out "$scratch/d.npy"
trouble "--on cpu: legal are model and gpu" mma $bf16 --on cpu --out "$scratch/d.npy"
trouble "sat: only integers saturate" mma $bf16 --sat --out "$scratch/d.npy"
if "$fragoracle" list | grep -q "gpu *absent"; then
    trouble "use --on model" mma $bf16 --on gpu --out "$scratch/d.npy"
fi
usage "--a A.npy is needed" mma wgmma.m64n8k16.f32.bf16.bf16.rs
holds "nothing was written" test ! -e "$scratch/d.npy"
nothing_half_written "$scratch"
finish
