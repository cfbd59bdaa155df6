#!/bin/sh
# probe, emit, score, pack and unpack: exit status, and one clear line for what cannot be.
. tests/cli/lib.sh
sample=artifacts/sample/sample.safetensors
gate=model.layers.0.mlp.experts.gate_up_proj

for command in probe emit score pack unpack; do
    run 0 $command --help
    says "Usage: fragoracle $command"
    usage "unrecognized option '--nonsense'" $command --nonsense
done
usage "KIND is needed" probe
usage "'identity' is one argument too many" probe identity identity
trouble "unknown probe 'shift'; legal: identity" probe shift
usage "unknown probe 'shift'; legal: identity" emit shift --out "$scratch/e"
usage "--out DIR is needed" emit
usage "--in DIR is needed" score
usage "--out DIR is needed" pack --weights $sample --tensor $gate
usage "--out FILE is needed" unpack --in "$scratch"

# Shapes
usage "--shape '32,128' is not P,N,K" probe identity --shape 32,128
usage "--shape '32,128,0' is not P,N,K" probe identity --shape 32,128,0
usage "--shape '-1,128,64' is not P,N,K" emit --out "$scratch/e" --shape=-1,128,64
trouble "wants N % 16 == 0 and K % 64 == 0, not N = 100, K = 128" probe identity --on model --shape 32,100,128
trouble "wants N % 16 == 0 and K % 64 == 0, not N = 128, K = 96" probe identity --on model --shape 32,128,96
trouble "K = 100 is not a multiple of 32" probe identity --on model --shape 32,128,100
trouble "P = 65 may not exceed K = 64" probe identity --on model --shape 65,16,64 --historical
trouble "wanted 1 to 2147483647 each" probe identity --on model --shape 4294967297,16,64
trouble "there is no pass 6, only 0 to 5" probe identity --on model --pass 6
usage "--pass '-1' is not a number" probe identity --pass -1
usage "--seed 'x' is not a number" probe identity --seed x
trouble "JSON holds numbers to 2^63 - 1" probe identity --on model --seed 0x8000000000000000

# Subjects and machines
trouble "unknown fault 'F99'; known: none F01" probe identity --on model --subject rs+F99
trouble "unknown subject 'ss'" probe identity --on model --subject ss
trouble "--on moon: legal are auto, gpu and model" probe identity --on moon

# Weights
trouble "there/is/none: cannot open: No such file or directory" probe identity --on model --weights there/is/none --tensor x
trouble "wants --tensor STEM" probe identity --on model --weights $sample
trouble "belong to weights from a file, not to random" probe identity --on model --weights random --expert 1
trouble "$sample: $gate: there is no expert 6, only 0 to 5" \
    probe identity --on model --weights $sample --tensor $gate --expert 6
trouble "N = 288, K = 64 asked, but the tensor has only N = 272, K = 320" \
    probe identity --on model --weights $sample --tensor $gate --shape 8,288,64
trouble "CONTRIBUTING.md: " probe identity --on model --weights CONTRIBUTING.md --tensor x

# --bisect turns trouble into 125 and nothing else.
run 125 probe identity --on model --subject rs+F99 --bisect
run 1 probe identity --on model --subject rs+F02 --historical --bisect
run 0 probe identity --on model --historical --bisect

# Weights and shapes that can be.
run 0 probe identity --on model --weights $sample --tensor $gate --expert 3 --shape 272,272,320
says "sample.safetensors: $gate from expert 3, 272 x 320 of 272 x 320"
run 0 probe identity --on model --historical --shape 16,96,1024
says "sample: model.layers.0.mlp.experts.down_proj from expert 0, 96 x 1024 of 112 x 1472"
run 0 probe identity --on model --historical --shape 16,288,64
says "random (the sample has no 288 x 64), seed 0"

# JSON on stdout, prose on stderr, and every field that was promised.
run 1 probe identity --on model --subject rs+F01 --historical --json
holds "probe --json" python3 - "$scratch/stdout" <<'PYTHON'
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["schema"] == "fragoracle.scores/1"
for name in ("probe subject executor fidelity kernel shape seed weights passes scores verdict worst_pass repeat notes "
             "per_pass machine").split():
    assert name in answer, name
assert (answer["probe"], answer["subject"], answer["executor"]) == ("identity", "rs+F01", "model")
assert answer["fidelity"] == "bit-exact model" and answer["verdict"] == "differs"
assert answer["shape"] == {"P": 32, "N": 128, "K": 128, "experts": 1, "segments": 1}
assert answer["kernel"]["wgmma"] == answer["kernel"]["wgmma_expected"] > 0
assert answer["passes"] == len(answer["per_pass"]) == 1
assert answer["scores"]["row_identity"]["of"] == 32 and answer["scores"]["row_exact"]["hits"] == 0
assert answer["repeat"].endswith("--historical --on model --pass 0")
PYTHON
finish
