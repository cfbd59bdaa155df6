#!/bin/sh
# diagnose through the program: a newcomer's own mistake in rs_index.h, plug-ins, folders, and what cannot be written.
. tests/cli/lib.sh

command -v cc >/dev/null || {
    echo "not run: no C compiler"
    exit 77
}
wanted_order="v00 v01 v04 v05 v02 v03 v06 v07"

# ---- the text ----

run 1 diagnose --subject rs+F05+F21 --shape 16,80,64 --on model
says "verdict: differs: F05 warp-counts-producer (64 features) with F21 scale-odd-block"
says "sums of a dense product are those of the factors found"
says "repeat:  fragoracle diagnose --subject rs+F05+F21 --shape 16,80,64 --seed 0 --on model"
holds "a screen of text, no line of it long" sh -c '[ "$(wc -l <"$0")" -le 35 ] && ! grep -q ".\{122\}" "$0"' \
    "$scratch/stdout"
run 1 diagnose --subject rs+F01 --shape 16,16,64 --on model --out "$scratch/out"
run 1 diagnose --subject rs+F01 --shape 16,16,64 --on model --out "$scratch/out"
nothing_half_written "$scratch/out"
holds "its document and pictures" test -s "$scratch/out/diagnosis.json" -a -s "$scratch/out/slots.png"
: >"$scratch/file"
trouble "$scratch/file" diagnose --subject rs+F01 --shape 16,16,64 --on model --out "$scratch/file/out"

# ---- the newcomer: an order written by hand into rs_index.h ----

build=$(dirname "$(dirname "$fragoracle")")
cache() {
    sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"
}
# Objects stand before the libraries, so they take the place of what those hold; of the GPU there is nothing.
changed="oracle/exec/model.c oracle/exec/subject.c oracle/exec/machine.c oracle/exec/machine_model.c
    oracle/exec/machine_gpu_absent.c oracle/answer/decode.c"
compile="$(cache CMAKE_C_COMPILER) $(cache CMAKE_C_FLAGS) -std=c17 -D_GNU_SOURCE -O1 -w -ffp-contract=off -fopenmp"
mkdir -p "$scratch/kernels" "$scratch/changed"

# objects FILE...
objects() {
    for source in "$@"; do
        # shellcheck disable=SC2086
        $compile -I"$scratch" -I. -c "$source" -o "$scratch/changed/$(basename "$source" .c).o" || return
    done
}

# newcomer ORDER: the program as somebody would build it after changing the order by hand.
# shellcheck disable=SC2086
newcomer() {
    sed "s/0, 1, 4, 5, 2, 3, 6, 7/$1/" kernels/rs_index.h >"$scratch/kernels/rs_index.h" &&
        ! cmp -s kernels/rs_index.h "$scratch/kernels/rs_index.h" && objects $changed &&
        $compile "$scratch"/changed/*.o "$build"/oracle/CMakeFiles/fragoracle.dir/cli/*.o \
            "$build/oracle/libfo_oracle.a" "$build/probes/libfo_probes.a" "$build/reference/libfo_reference.a" \
            -o "$scratch/fragoracle" -ljansson -lpng -lz -lm -ldl -lpthread
}

tool=$fragoracle
for order in "0, 4, 1, 5, 3, 7, 6, 2" "4, 1, 0, 5, 2, 3, 6, 7"; do
    holds "the newcomer's program builds" newcomer "$order"
    fragoracle=$scratch/fragoracle
    run 1 diagnose --subject rs --shape 32,80,64 --on model
    says "found       order $(echo "$order" | sed 's/, / v0/g; s/^/v0/') (R0"
    says "wanted      order $wanted_order (R0 = v00 v01, R1 = v04 v05, R2 = v02 v03, R3 = v06 v07)"
    case $order in
    0*) says "verdict: differs: F01 a-order-rowpair" ;;
    *) says "which has no name in the catalogue" ;;
    esac
    fragoracle=$tool
done

# ---- plug-ins: right, with an index error of their own, and ones that break ----

# plugin NAME [EXPRESSION]: the example, changed by sed.
plugin() {
    sed "$2" scripts/sample/plugin.c >"$scratch/$1.c"
    holds "$1 builds" cc -O2 -shared -fPIC -I. -o "$scratch/$1.so" "$scratch/$1.c"
    [ -z "$2" ] || holds "$1 is changed" sh -c '! cmp -s scripts/sample/plugin.c "$0"' "$scratch/$1.c"
}
plugin right ""
run 0 diagnose --subject "plugin:$scratch/right.so" --shape 32,48,64 --on model
says "verdict: conforms"
says "not asked     bad segments"
plugin row 's/\* w.N + n) \* w.K/* w.N + (n ^ 8)) * w.K/'
run 1 diagnose --subject "plugin:$scratch/row.so" --shape 32,48,64 --on model
says "order v04 v05 v00 v01 v06 v07 v02 v03"
says "    found     n ^ 8"
plugin column 's/widen(row\[k\])/widen(row[k ^ 1])/'
run 1 diagnose --subject "plugin:$scratch/column.so" --shape 32,48,64 --on model
says "verdict: differs: F53 nibbles-exchanged"
says "    found     k ^ 1"
plugin infinite 's/widen(row\[k\])/widen(row[k] == 0x7fff ? 0x7f80 : row[k])/'
run 1 diagnose --subject "plugin:$scratch/infinite.so" --shape 32,48,64 --on model
says "found     scale 255: weight * Inf"
says "sums of NaN, Inf and subnormal weights differ"

plugin expert 's/(l->ids\[a\] \* w.N/((l->ids[a] ^ 1) * w.N/'
run 1 diagnose --subject "plugin:$scratch/expert.so" --shape 32,48,64 --on model
says "verdict: differs: unknown"
says "  routing     differs"
says "  found       W[6][0]"
FO_GOOD=int4
export FO_GOOD
run 0 diagnose --subject "plugin:$build/tests/oracle/plugin_good.so" --shape 16,32,64 --on model
says "not asked     scales (the subject has none)"
says "decoding (its type has no value for some of the codes)"
plugin dense 's/FO_SEGMENTS_LEGAL/FO_SEGMENTS_NONE/; s/FO_PLUGIN_VERSION,/&\n.multiple_K = 48, .most_rows = 40,/'
run 0 diagnose --subject "plugin:$scratch/dense.so" --on model
says "P,N,K = 40,208,288, experts 1"
says "not asked     experts and segments (a dense product)"

holds "a plug-in that breaks builds" cc -shared -fPIC -I. -o "$scratch/bad.so" tests/oracle/plugin_bad.c
export FO_BAD FRAGORACLE_TIMEOUT
for case in "crash-run:the subject died of signal 11 (SIGSEGV)" "hang:the subject did not answer within 0.5 s" \
    "fails:the subject returned 42 from run"; do
    FO_BAD=${case%%:*}
    FRAGORACLE_TIMEOUT=0.5
    run 1 diagnose --subject "plugin:$scratch/bad.so" --shape 16,16,64 --on model --out "$scratch/broke"
    says "verdict: differs: ${case#*:}"
    holds "$FO_BAD: diagnosis.json" grep -q '"state": "broke"' "$scratch/broke/diagnosis.json"
done
unset FO_BAD FRAGORACLE_TIMEOUT

# ---- folders ----

run 0 emit identity --shape 16,16,64 --out "$scratch/identity"
trouble "was emitted for the probe 'identity'" diagnose --subject "files:$scratch/identity"
trouble "$scratch/nothing/emit.json" diagnose --subject "files:$scratch/nothing"
for python in python3 /usr/bin/python3 none; do
    [ $python = none ] || ! $python -c 'import numpy' 2>/dev/null || break
done
if [ $python != none ]; then
    run 0 emit coded --shape 16,16,64 --out "$scratch/emitted"
    sed 's/\[0, 4, 1, 5, 3, 7, 6, 2\]/[4, 1, 0, 5, 2, 3, 6, 7]/' tests/cli/kernel.py >"$scratch/kernel.py"
    holds "the kernel runs" "$python" "$scratch/kernel.py" "$scratch/emitted"
    run 0 diagnose --subject "files:$scratch/emitted"
    holds "the kernel runs" "$python" "$scratch/kernel.py" "$scratch/emitted" --fault F01
    run 1 diagnose --subject "files:$scratch/emitted"
    says "found       order v04 v01 v00 v05 v02 v03 v06 v07 (R0"
    says "wanted      order $wanted_order (R0"
    says "smallest      P,N,K = 16,16,64: out["
    trouble "was emitted for P,N,K = 16,16,64" diagnose --subject "files:$scratch/emitted" --shape 1,16,64
else
    echo "folders with outputs not run: no python3 with numpy"
fi
finish
