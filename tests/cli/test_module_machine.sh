#!/bin/sh
# Kernels in PTX on the functional machine, through the program itself: one by hand, right and with a column shifted;
# and, where nvcc is, the production kernel and a planted one, as they are compiled.
. tests/cli/lib.sh

cp tests/oracle/module_product.ptx tests/oracle/module_product.json "$scratch"
ptx=$scratch/module_product.ptx
for ask in "probe identity" "probe coded" "probe random" diagnose; do
    run 0 $ask --subject "module:$ptx" --shape 32,8,32 --on model
    says "on ptx (bit-exact model)"
    says "verdict: conforms"
done
run 0 probe identity --subject "module:$ptx" --shape 32,8,32 --on model --json
holds "what was counted" python3 - "$scratch/stdout" <<'PYTHON'
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["executor"] == "ptx" and answer["fidelity"] == "bit-exact model"
assert answer["kernel"]["name"] == "product" and answer["kernel"]["steps"] > 1000
assert answer["kernel"]["wgmma"] == 0 and answer["kernel"]["wgmma_expected"] is None
PYTHON

# Made for one shape: it is asked that one, and nothing else.
sed 's/"grid"/"limits": {"P": 40, "N": 8, "K": 32}, "grid"/' tests/oracle/module_product.json >"$scratch/module_product.json"
run 0 probe coded --subject "module:$ptx" --on model
says "P,N,K = 40,8,32"
run 0 check --subject "module:$ptx" --on model
says "no historical case: the subject has more rows than columns"
says "up to K=32, N=8"
trouble "was made for one shape: P,N,K = 40,8,32" diagnose --subject "module:$ptx" --shape 40,8,64 --on model
trouble "made for 40 rows alone, not 39" probe identity --subject "module:$ptx" --shape 39,8,32 --on model
trouble "made for N = 8, K = 32 alone" probe identity --subject "module:$ptx" --shape 40,9,32 --on model
sed 's/"grid"/"limits": {"P": 0}, "grid"/' tests/oracle/module_product.json >"$scratch/module_product.json"
trouble "limits.P" probe identity --subject "module:$ptx" --on model
cp tests/oracle/module_product.json "$scratch"

shift='add.u32 %column, %n, 1; rem.u32 %column, %column, %count;'
sed "s/mov.u32 %column, %n;/$shift/" tests/oracle/module_product.ptx >"$ptx"
run 1 probe identity --subject "module:$ptx" --shape 32,8,32 --on model
run 1 probe coded --subject "module:$ptx" --shape 32,8,32 --on model
run 1 diagnose --subject "module:$ptx" --shape 32,8,32 --on model
says "on ptx (bit-exact model)"
says "n + 1"
sed "s/fma.rn.f32 .*/&ex2.approx.f32 %right, %right;/" tests/oracle/module_product.ptx >"$ptx"
for ask in "probe identity" diagnose; do
    run 0 $ask --subject "module:$ptx" --shape 32,8,32 --on model
    says "on ptx (approximate)"
    says "approximate: "
done
sed "s/st.global.f32 .*/st.global.f32 [%at+65536], %sum;/" tests/oracle/module_product.ptx >"$ptx"
run 1 probe identity --subject "module:$ptx" --shape 32,8,32 --on model
says "the kernel broke in launch 1: line 8"

nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
[ -n "$nvcc" ] || {
    echo "the rest was not run: no nvcc"
    finish
}
rs=$scratch/rs
holds "nvcc" "$nvcc" -ptx -arch compute_90a -I. kernels/rs_gemm.cu -o "$rs.ptx"
# entry NAME FAULT: a sidecar for an entry that takes struct rs_args and FAULT.
entry() {
    name=$(sed -n "s/.*\.entry \(_Z[0-9]*$1_kernel[^(]*\)(.*/\1/p" "$rs.ptx")
    cat >"$rs.json" <<JSON
{"schema": "fragoracle.module/1", "entry": "$name", "weights": "hopper",
 "grid": ["P / 64 + A + 2", "ceil(N, 64)"], "block": [128], "limits": {"multiple_N": 16, "multiple_K": 64},
 "arguments": [{"struct": [{"struct": ["P", "N", "K", "E", "A"]}, "x", "hopper_values", "hopper_scales", "starts", "ids",
                           "out", "status", {"u64": 0}]}$2]}
JSON
}
# planted ORDER [RACES]: struct rs_fault with this pack order, zeros, and no_proxy_fence and a_overwritten.
planted() {
    members=$(for byte in $1 $(seq 22 | sed 's/.*/0/') ${2:-0 0}; do printf ', {"u8": %d}' "$byte"; done)
    entry rs_gemm_planted ", {\"struct\": [${members#, }]}"
}
entry rs_gemm ""
run 0 probe identity --subject "module:$rs.ptx" --on model
says "on ptx (bit-exact model)"
says "wgmma 2304"
says "unwritten     0 of 99840"
run 0 probe coded --subject "module:$rs.ptx" --shape 64,16,64 --on model
says "verdict: conforms"
planted "0 1 4 5 2 3 6 7"
run 0 probe identity --subject "module:$rs.ptx" --shape 64,16,64 --on model
planted "0 4 1 5 3 7 6 2"
run 1 diagnose --subject "module:$rs.ptx" --shape 64,16,64 --on model
says "verdict: differs: F01 a-order-rowpair"
says "found       order v00 v04 v01 v05 v03 v07 v06 v02"
# F38 and F44, which the model refuses.
planted "0 1 4 5 2 3 6 7" "1 0"
run 0 probe identity --subject "module:$rs.ptx" --shape 8,16,64 --on model
says "hazards: line "
says "shared memory read without a proxy fence"
planted "0 1 4 5 2 3 6 7" "0 1"
run 1 probe identity --subject "module:$rs.ptx" --shape 8,16,64 --on model
says "hazards: line "
says "A register overwritten in flight"
trouble "module: to the PTX machine" probe identity --subject rs+F38 --shape 8,16,64 --on model
finish
