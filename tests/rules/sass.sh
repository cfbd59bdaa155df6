#!/bin/sh
# With its macros disabled fragoracle_device.h leaves no trace in machine code: kernels/rs_gemm.cu compiles to the same
# cubin, byte for byte, as its text without the include and without the macros. Enabled it must not (the comparison can
# fail), and must give ptxas nothing to complain about.
#   tests/rules/sass.sh       run from the root; exits 77 without nvcc
PATH=$PATH:/usr/local/cuda/bin
command -v nvcc >/dev/null || { echo "not run: no nvcc"; exit 77; }
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
failed=0
wrong() {
    echo "$1"
    failed=$((failed + 1))
}

# One file name for all, so that nothing but the code can differ.
compile() { # SOURCE OUT [OPTION]
    mkdir -p "$temp/src" && cp "$1" "$temp/src/rs_gemm.cu" || exit 2
    (cd "$temp/src" && nvcc -gencode arch=compute_90a,code=sm_90a -O3 -I "$root" ${3:+"$3"} -cubin -o "$2" rs_gemm.cu) ||
        { echo "$1 $3 does not compile"; exit 1; }
}
root=$PWD

# Statements that begin with FO_ up to their semicolon, and the line of the include.
awk '
    /^#include "kernels\/fragoracle_device\.h"/ { removed++; next }
    !inside && /^ *FO_[A-Z_]+\(/ { inside = 1; removed++ }
    inside { if (/;[ \t]*$/ || /^FO_CAPTURE_EXPORT/) inside = 0; next }
    { print }
    END { exit !(removed >= 5) }' kernels/rs_gemm.cu >"$temp/stripped.cu" || wrong "fewer than five places to strip"
if grep -nE 'FO_(TAP|ASSERT|CAPTURE)|fragoracle_device' "$temp/stripped.cu"; then wrong "not everything was stripped"; fi

compile kernels/rs_gemm.cu "$temp/disabled.cubin"
compile "$temp/stripped.cu" "$temp/stripped.cubin"
compile kernels/rs_gemm.cu "$temp/enabled.cubin" -DFRAGORACLE_TAP
[ "$(wc -c <"$temp/disabled.cubin")" -gt 1000 ] || wrong "the cubin is empty"
cmp "$temp/disabled.cubin" "$temp/stripped.cubin" || wrong "disabled macros change the machine code"
if cmp -s "$temp/disabled.cubin" "$temp/enabled.cubin"; then wrong "enabled macros do not change it: nothing was compared"; fi
scripts/ptxas_check.sh -DFRAGORACLE_TAP kernels/rs_gemm.cu || wrong "enabled macros disturb ptxas"
echo "3 cubins, $failed wrong"
[ "$failed" -eq 0 ]
