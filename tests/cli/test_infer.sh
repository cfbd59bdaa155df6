#!/bin/sh
# infer: a capture on the command line: exact answers, exit statuses, where the output goes.
. tests/cli/lib.sh
op=wgmma.m64n8k16.f32.bf16.bf16.rs

# prints STDOUT: the last `run` printed exactly this.
prints() {
    checks=$((checks + 1))
    printf '%s' "$1" | cmp -s - "$scratch/stdout" || wrong "$line: wanted exactly '$1'"
}

# A matrix of 128 x 32, and registers of its tiles (64,0) and (64,16): right, and packed v00..v07. And a capture image of
# the same with one site.
python3 - "$scratch" <<'PYTHON' || exit 2
import random, struct, sys
folder = sys.argv[1]
random.seed(3)
M, K = 128, 32
value = [[random.choice((0, 0x8000)) | random.randrange(0x3c00, 0x4200) for _ in range(K)] for _ in range(M)]

def npy(name, kind, shape, data):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (kind, ", ".join(map(str, shape)) + ("," if len(shape) == 1 else ""))
    head = head.ljust(117) + "\n"
    with open(f"{folder}/{name}", "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)

npy("a.npy", "<u2", (M, K), b"".join(struct.pack("<H", x) for row in value for x in row))
npy("wide.npy", "<u2", (8, K), bytes(2 * 8 * K))

def registers(order, i0, j0):
    words = []
    for t in range(128):
        g, q = t % 32 // 4, t % 4
        for r in range(4):
            word = 0
            for h in range(2):
                v = order[2 * r + h]
                word |= value[i0 + 16 * (t // 32) + g + 8 * (v // 4)][j0 + 2 * q + v % 2 + 8 * (v % 4 // 2)] << 16 * h
            words.append(word)
    return struct.pack("<512I", *words)

right, linear = [0, 1, 4, 5, 2, 3, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]
npy("right.npy", "<u4", (2, 128, 4), registers(right, 64, 0) + registers(right, 64, 16))
npy("linear.npy", "<u4", (128, 4), registers(linear, 64, 0))
counters, data = 64 + 232, 64 + 232 + 512
image = struct.pack("<10IQ4I", 0x50415446, 1, 1, 0, 1, 0, 1, 0, 1, 0, data + 2048, 0, 0, 0, 0)
image += struct.pack("<64s16s112s6I2Q", b"wgmma.m64n8k16.f32.bf16.bf16.rs", b"A", b"gemm.cu:42", 1, 0, 0, 4, 0, 0, counters, data)
image += struct.pack("<128I", *[1] * 128) + registers(linear, 64, 16)
open(f"{folder}/capture.bin", "wb").write(image)
PYTHON

run 0 infer --capture "$scratch/right.npy" --op $op --operand A --matrix "$scratch/a.npy"
prints "registers: $op
  A: conforms: 2048 of 2048 slots in 2 of 2 records; proved unique among affine maps
    tiles at (64,0), (64,16)
verdict: conforms
"
run 1 infer --capture "$scratch/linear.npy" --op $op --operand A --matrix "$scratch/a.npy"
says "  A: differs: values right, order wrong: registers R1 and R2 exchanged; 512 of 1024 slots wrong; the same map in 1 of 1 records; proved unique among affine maps"
says "    pack order found   v00 v01 v02 v03 v04 v05 v06 v07"
says "    pack order wanted  v00 v01 v04 v05 v02 v03 v06 v07"
run 1 infer --capture "$scratch/capture.bin" --matrix "$scratch/a.npy"
says "site 0, gemm.cu:42: $op"
says "verdict: differs: order of the A fragment (site 0, gemm.cu:42)"
says "fix: give wgmma the registers in the order R0 R2 R1 R3"
says "hardware-instrumented"

# JSON on stdout, prose on stderr, a folder of files.
run 1 infer --capture "$scratch/capture.bin" --matrix "$scratch/a.npy" --json --out "$scratch/out"
holds "infer --json" python3 - "$scratch/stdout" "$scratch/out/infer.json" <<'PYTHON'
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer == json.load(open(sys.argv[2]))
assert answer["schema"] == "fragoracle.infer/1" and answer["verdict"] == "differs"
assert answer["fidelity"] == "hardware-instrumented"
assert answer["fault"]["fix"] == "give wgmma the registers in the order R0 R2 R1 R3"
assert answer["fault"]["station"] == "A" and answer["fault"]["stage"] == "order" and answer["fault"]["site"] == 0
found = answer["sites"][0]["stations"]["A"]
assert found["wrong_slots"] == 512 and found["unique"] and found["family"] == "affine"
assert found["pack_order"] == "v00 v01 v02 v03 v04 v05 v06 v07"
PYTHON
holds "a picture" test -s "$scratch/out/site0.A.png"

# What cannot be
trouble "--capture FILE or --subject S is needed" infer
usage "--site 'x' is not a number" infer --capture "$scratch/capture.bin" --site x
trouble "$scratch/none: " infer --capture "$scratch/none"
trouble "the capture has no site 1" infer --capture "$scratch/capture.bin" --matrix "$scratch/a.npy" --site 1
trouble "an .npy of registers wants --op, --operand and --matrix" infer --capture "$scratch/right.npy"
trouble "--b must be transposed: it is [8,32], and the matrix of A has K = 32" \
    infer --capture "$scratch/capture.bin" --matrix "$scratch/a.npy" --b "$scratch/wide.npy"
trouble "belongs to source mxfp4" \
    infer --capture "$scratch/capture.bin" --matrix "$scratch/a.npy" --scales "$scratch/a.npy"
run 125 infer --capture "$scratch/none" --bisect

# A subject that is asked: its layout, and no names.
run 0 infer --subject rs --shape 24,32,64 --on model
says "  conform     values, scales, fragment, descriptor, epilogue, routing, arithmetic"
run 1 infer --subject rs+F02 --shape 24,32,64 --on model --out "$scratch/asked"
says "    found     pack order v00 v01 v02 v03 v04 v05 v06 v07"
says "repeat:  fragoracle infer --subject rs+F02 --shape 24,32,64 --seed 0 --on model"
holds "no name is given" sh -c '! grep -qE "linear|nearest|smallest|tried" "$0"' "$scratch/stdout"
holds "pictures" test -s "$scratch/asked/source_map.png" -a -s "$scratch/asked/slots.png"
run 1 infer --subject rs+F22 --shape 24,32,64 --on model --json
holds "infer --subject --json" python3 - "$scratch/stdout" <<'PYTHON'
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["schema"] == "fragoracle.diagnosis/1" and answer["state"] == "unnamed"
assert "named" not in answer and "smallest" not in answer
wrong = [s for s in answer["stages"] if s["state"] == "differs"]
assert [s["stage"] for s in wrong] == ["scales"], wrong
assert wrong[0]["rule"][0] == {"name": "n", "family": "xor", "formula": "n ^ 8"}, wrong[0]["rule"]
assert wrong[0]["explained"] == wrong[0]["wrong"] > 0
PYTHON
trouble "--subject goes with --shape, --seed, --on and --out alone" infer --subject rs --capture "$scratch/right.npy"
trouble "--subject goes with --shape, --seed, --on and --out alone" infer --subject rs --site 0
trouble "--shape, --seed and --on belong to --subject" infer --capture "$scratch/right.npy" --seed 4
nothing_half_written "$scratch"
finish
