#!/bin/sh
# The example of a module: its sidecar is what its kernel takes, and it conforms on the machine, and on a GPU where
# there is one.
. tests/cli/lib.sh

cp scripts/sample/module.json "$scratch"
trouble "$scratch/module.json: module: not named, and there is no .ptx" probe coded --subject "module:$scratch/module.json"
trouble "$scratch/none.json: cannot open" probe coded --subject "module:$scratch/none.ptx"
trouble "wanted module:PATH.ptx, PATH.cubin or PATH.json" probe coded --subject "module:$scratch/none"

: >"$scratch/module.cubin"
trouble "module.cubin: a cubin needs a GPU" probe coded --subject "module:$scratch/module.cubin" --on model
rm "$scratch/module.cubin"

nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
[ -n "$nvcc" ] || {
    echo "the rest was not run: no nvcc"
    finish
}
holds "nvcc" "$nvcc" -ptx -arch compute_90 scripts/sample/module.cu -o "$scratch/module.ptx"
holds "the sidecar has an argument for each parameter, of its size" python3 - "$scratch" <<'PYTHON'
import json, re, sys
sidecar = json.load(open(f"{sys.argv[1]}/module.json"))
ptx = open(f"{sys.argv[1]}/module.ptx").read()
entry = ptx[ptx.index(f".entry {sidecar['entry']}("):]
sizes = re.findall(r"\.param \.u(\d+)", entry[: entry.index(")")])
assert len(sizes) == len(sidecar["arguments"]) == 12
for size, name in zip(sizes, sidecar["arguments"]):
    assert size == ("32" if name in "P N K E A".split() else "64"), name
PYTHON
for kind in identity coded; do
    run 0 probe $kind --subject "module:$scratch/module.ptx" --shape 64,32,64 --on model
    says "probe of module:$scratch/module.ptx on ptx (bit-exact model)"
    says "verdict: conforms"
done
if "$fragoracle" list | grep -q "gpu *absent"; then
    trouble "no " probe coded --subject "module:$scratch/module.ptx" --on gpu
    run 0 probe identity --subject "module:$scratch/module.ptx" --shape 64,32,64
    says "on ptx (bit-exact model)"
    says "--on model"
else
    for kind in identity coded; do
        run 0 probe $kind --subject "module:$scratch/module.ptx"
        says "on module (hardware)"
        says "verdict: conforms"
    done
fi
finish
