#!/bin/sh
# pack and unpack through the real binary: there and back, byte for byte, for every padding.
. tests/cli/lib.sh
sample=artifacts/sample/sample.safetensors

for proj in gate_up_proj down_proj; do
    stem=model.layers.0.mlp.experts.$proj
    for how in "" "--pad-m 64" "--pad-m 256 --pad-k 64" "--num-warps 8" "--pad-m 48 --pad-k 96 --num-warps 8"; do
        a=$scratch/a b=$scratch/b
        rm -rf "$a" "$b"
        # shellcheck disable=SC2086
        run 0 pack --weights $sample --tensor $stem --out "$a/deep" $how
        run 0 unpack --in "$a/deep" --out "$a/back.safetensors"
        # shellcheck disable=SC2086
        run 0 pack --weights "$a/back.safetensors" --tensor $stem --out "$b" $how
        for file in values.npy scales.npy layout.json; do
            holds "$proj $how: $file" cmp "$a/deep/$file" "$b/$file"
        done
        run 0 unpack --in "$b" --out "$b/back.safetensors"
        holds "$proj $how: unpacked" cmp "$a/back.safetensors" "$b/back.safetensors"
        # The tensors of the sample themselves, read with nothing of ours.
        holds "$proj $how: tensors" python3 - $sample "$a/back.safetensors" $stem <<'PYTHON'
import json, struct, sys
def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + size:][slice(*v["data_offsets"])]) for k, v in header.items()}
original, back = tensors(sys.argv[1]), tensors(sys.argv[2])
assert sorted(back) == [sys.argv[3] + "_blocks", sys.argv[3] + "_scales"]
for name in back:
    assert back[name] == original[name], name
PYTHON
    done
done

gate=model.layers.0.mlp.experts.gate_up_proj
run 0 pack --weights $sample --tensor $gate --out "$scratch/p" --json
holds "pack --json is layout.json" cmp "$scratch/stdout" "$scratch/p/layout.json"
trouble "pad" pack --weights $sample --tensor $gate --out "$scratch/q" --pad-m 17
trouble "pad" pack --weights $sample --tensor $gate --out "$scratch/q" --pad-k 33
trouble "scales cannot be laid out for 5 warps; use 4 or 8" pack --weights $sample --tensor $gate --out "$scratch/q" --num-warps 5
usage "--pad-m 0: must be at least 1" pack --weights $sample --tensor $gate --out "$scratch/q" --pad-m 0
trouble "$sample: " pack --weights $sample --tensor nothing --out "$scratch/q"
checks=$((checks + 1))
[ ! -e "$scratch/q" ] || wrong "a refused pack made its folder"

# What was changed behind our back is refused, with the place.
trouble "$scratch/none/layout.json: cannot open" unpack --in "$scratch/none" --out "$scratch/x"
sed 's/"num_warps": 4/"num_warps": 8/' "$scratch/p/layout.json" >"$scratch/changed"
mv "$scratch/changed" "$scratch/p/layout.json"
trouble "$scratch/p/layout.json: scales: the shape is not the one" unpack --in "$scratch/p" --out "$scratch/x"
run 0 pack --weights $sample --tensor $gate --out "$scratch/p"
head -c 1000 "$scratch/p/values.npy" >"$scratch/short"
mv "$scratch/short" "$scratch/p/values.npy"
trouble "$scratch/p/values.npy: " unpack --in "$scratch/p" --out "$scratch/x"
checks=$((checks + 1))
[ ! -e "$scratch/x" ] || wrong "a refused unpack left its file"
finish
