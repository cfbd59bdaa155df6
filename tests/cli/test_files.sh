#!/bin/sh
# emit, a kernel written in numpy, score: right, with a fault, and with what a user may get wrong.
. tests/cli/lib.sh

for python in python3 /usr/bin/python3 none; do
    [ $python != none ] || {
        echo "not run: no python3 with numpy (Debian package python3-numpy)"
        exit 77
    }
    $python -c 'import numpy' 2>/dev/null && break
done

kernel() {
    holds "kernel.py $*" "$python" tests/cli/kernel.py "$@"
}

# The right kernel conforms, at the default shape, in the historical case, and at one that no tile divides.
for how in "" "--historical" "--shape 33,144,96 --weights adversarial" "--shape 9,48,32 --weights random --seed 7"; do
    rm -rf "$scratch/e"
    # shellcheck disable=SC2086
    run 0 emit --out "$scratch/e" $how
    kernel "$scratch/e"
    run 0 score --in "$scratch/e"
    says "verdict: conforms"
    says "(unstated)"
done
says "P,N,K = 9,48,32, experts 8"
says "random, seed 7"

# With F01 it differs, and scores as the planted production kernel does on the model: two programs, one fault.
rm -rf "$scratch/e"
run 0 emit --out "$scratch/e"
kernel "$scratch/e" --fault F01
run 1 score --in "$scratch/e" --out "$scratch/scores"
says "verdict: differs"
for file in rows.png columns.png errors.png scores.json; do
    holds "score --out: $file" test -s "$scratch/scores/$file"
done
run 1 probe identity --on model --subject rs+F01 --json
holds "files and model agree on F01" python3 - "$scratch/scores/scores.json" "$scratch/stdout" <<'PYTHON'
import json, sys
files, planted = (json.load(open(path)) for path in sys.argv[1:])
assert files["executor"] == "files" and files["fidelity"] == "unstated" and files["kernel"]["name"] == "unstated"
assert files["scores"] == planted["scores"] and files["scores"]["differing"] > 0
assert [p["scores"] for p in files["per_pass"]] == [p["scores"] for p in planted["per_pass"]]
for name in "schema probe shape seed weights passes verdict worst_pass".split():
    assert files[name] == planted[name], name
PYTHON

# The subject files:DIR is the same answer.
cp "$scratch/scores/scores.json" "$scratch/scored.json"
run 1 probe identity --subject "files:$scratch/e" --json
holds "probe files: is score" cmp "$scratch/scored.json" "$scratch/stdout"
trouble "$scratch/e: the identity probe was emitted here, not coded" probe coded --subject "files:$scratch/e"

# Outputs that say for which inputs they were computed are refused for others.
rm -rf "$scratch/e" "$scratch/other"
run 0 emit --out "$scratch/e" --historical
run 0 emit --out "$scratch/other" --historical --weights random
kernel "$scratch/other"
cp "$scratch/other"/out_* "$scratch/other/run.json" "$scratch/e"
trouble "$scratch/e/run.json: inputs: the outputs belong to other inputs" score --in "$scratch/e"

# A dense kernel without scales, fed with decoded weights.
rm -rf "$scratch/e"
run 0 emit --out "$scratch/e" --dense --no-scales --historical --weights-as bf16
kernel "$scratch/e"
holds "decoded weights lie there" test -s "$scratch/e/w_0.npy"
run 0 score --in "$scratch/e"
says "experts 1, segments 1"
says "note          not applicable: block scales (all are 1)"
rm -rf "$scratch/e"
run 0 emit --out "$scratch/e" --dense
kernel "$scratch/e"
run 0 score --in "$scratch/e"
says "experts 1, segments 1"
rm -rf "$scratch/e"
run 0 emit --out "$scratch/e" --no-scales --shape 9,16,64
kernel "$scratch/e" --once
run 0 score --in "$scratch/e" --json
says "block scales (all are 1); the special pass; unwritten rests on one output in 10 of 10 passes"
trouble "no form of weights is called 'int4'; legal: mxfp4, bf16, hopper" emit --out "$scratch/x" --weights-as int4

# The coded probe through files: the same sources as of the model, right and with F01.
rm -rf "$scratch/e"
run 0 emit coded --out "$scratch/e" --shape 24,20,96 --seed 5
says "24,20,96, 8 experts, 5 segments"
kernel "$scratch/e"
run 0 score --in "$scratch/e"
says "verdict: conforms"
run 0 probe coded --subject "files:$scratch/e"
rm -rf "$scratch/e"
run 0 emit coded --out "$scratch/e" --shape 24,48,128 --seed 5
kernel "$scratch/e" --fault F01
run 1 score --in "$scratch/e" --out "$scratch/coded"
run 1 probe coded --on model --subject rs+F01 --shape 24,48,128 --seed 5 --json
holds "files and model agree on where F01 reads" python3 - "$scratch/coded/scores.json" "$scratch/stdout" <<'PYTHON'
import json, sys
files, planted = (json.load(open(path)) for path in sys.argv[1:])
assert files["executor"] == "files" and files["fidelity"] == "unstated"
assert files["scores"]["value"]["moved"] > 0 and files["verdict"] == "differs"
for name in "schema probe shape seed segments passes planes sweeps launches loads scores repeats scaled pair dense".split():
    assert files[name] == planted[name], name
PYTHON
rm "$scratch/e/out_0_b.npy"
run 1 score --in "$scratch/e"
says "note          unwritten rests on one output in 1 of "
trouble "coded probes make their own weights" emit coded --out "$scratch/x" --historical
rm -rf "$scratch/e"
run 0 emit coded --out "$scratch/e" --shape 9,16,32 --dense --no-scales --weights-as bf16
kernel "$scratch/e"
run 0 score --in "$scratch/e"
says "scale     not applicable"
says "experts 1"

# The random probe: numpy sums in an order of its own, which is permitted where it shows; F01 is beyond the bound.
for weights in sample adversarial; do
    rm -rf "$scratch/e"
    run 0 emit random --out "$scratch/e" --weights $weights
    kernel "$scratch/e"
    run 0 score --in "$scratch/e"
    says "by the bound: its order of summation is its own"
    run 0 probe random --subject "files:$scratch/e"
done
rm -rf "$scratch/e"
run 0 emit random --out "$scratch/e" --weights random --dense --no-scales --shape 9,48,64
kernel "$scratch/e" --fault F01
run 1 score --in "$scratch/e"
says "not applicable: the pass of special weights"
says "first beyond: pass uniform"

# F19, a scale of 255 read as Inf: the order is right, only the special pass differs, and score says so.
rm -rf "$scratch/e"
run 0 emit --out "$scratch/e"
kernel "$scratch/e" --fault F19
run 1 score --in "$scratch/e"
says "(special): "
says "note          only the special pass differs: scales of 255 (NaN)"

# One run instead of two: said, not guessed. What the user states about the run is handed on.
rm -rf "$scratch/e"
run 0 emit --out "$scratch/e" --historical
kernel "$scratch/e" --once
run 0 score --in "$scratch/e"
says "unwritten rests on one output in 1 of 1 passes"
echo '{"kernel": "numpy", "fidelity": "hardware"}' >"$scratch/e/run.json"
run 0 score --in "$scratch/e"
says "(hardware)"
says "numpy"
echo '{"kernel": "numpy", "fidelity": "perfect"}' >"$scratch/e/run.json"
trouble "run.json: fidelity: wanted hardware" score --in "$scratch/e"
rm "$scratch/e/run.json"

# An output left as it was poisoned is unwritten, in one run as in two.
cp "$scratch/e/poison_a.npy" "$scratch/e/out_0.npy"
run 1 score --in "$scratch/e"
says "unwritten     4096 of 4096"
cp "$scratch/e/poison_b.npy" "$scratch/e/out_0_b.npy"
run 1 score --in "$scratch/e"
says "unwritten     4096 of 4096"

# Trouble, each with its path.
trouble "$scratch/e/out_0.npy: an output of an earlier run lies there" emit --out "$scratch/e" --historical
rm "$scratch/e/out_0.npy"
trouble "$scratch/e/out_0.npy: no output of pass 0; wanted <u2 (bf16 bits) or <f4 of shape (32, 128)" \
    score --in "$scratch/e"
cp "$scratch/e/x_0.npy" "$scratch/e/out_0.npy"
run 1 score --in "$scratch/e" # at 32,128,128 x has the shape of an output, and is none
cp "$scratch/e/ids_0.npy" "$scratch/e/out_0.npy"
trouble "$scratch/e/out_0.npy: wanted <u2 (32, 128), found <i4 (1,)" score --in "$scratch/e"
cp "$scratch/e/poison_a.npy" "$scratch/e/x_0.npy"
trouble "$scratch/e/x_0.npy: not what this program emits" score --in "$scratch/e"
finish
