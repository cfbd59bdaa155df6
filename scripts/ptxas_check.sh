#!/usr/bin/env bash
# Compile CUDA sources for sm_90a, show what each kernel uses, and fail on what ptxas only mentions in passing.
#   scripts/ptxas_check.sh [-DNAME[=VALUE] ...] [FILE.cu ...]      FILE from the root; default: all .cu under kernels/
# Exit status: 0 clean; 1 a (C75xx) line (ptxas serialised wgmma, or injected an arrive or a wait) or a register spill;
# 2 trouble: no nvcc, a source that does not compile, or not a single kernel compiled.
set -euo pipefail
source "$(dirname "$0")/common.sh"

defines=()
while [[ ${1-} == -D* ]]; do
    defines+=("$1")
    shift
done
sources=("$@")
if [[ ${#sources[@]} -eq 0 ]]; then
    mapfile -t sources < <(find kernels -name '*.cu' | sort)
fi
command -v nvcc >/dev/null || trouble "no nvcc: put it on PATH"
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

for source in ${sources[@]+"${sources[@]}"}; do
    printf 'source %s\n' "$source" >>"$temp/log"
    if ! nvcc -gencode arch=compute_90a,code=sm_90a -O3 -I "$root" ${defines[@]+"${defines[@]}"} -Xptxas -v \
        -cubin -o "$temp/cubin" "$source" >"$temp/one" 2>&1; then
        cat "$temp/one" >&2
        trouble "$source does not compile"
    fi
    cat "$temp/one" >>"$temp/log"
done
touch "$temp/log"

status=0
awk -f scripts/ptxas_table.awk "$temp/log" >"$temp/table" || status=$?
if command -v cu++filt >/dev/null; then cu++filt <"$temp/table"; else cat "$temp/table"; fi
exit $status
