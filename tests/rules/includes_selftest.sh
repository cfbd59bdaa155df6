#!/bin/sh
# includes.sh must pass a tree that keeps the rules and fail each tree with one planted wrong include.
#   tests/rules/includes_selftest.sh       run from the root
FRAGORACLE_RULES=$PWD/tests/rules
export FRAGORACLE_RULES
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
ran=0 failed=0

plant() { # FILE INCLUDE
    mkdir -p "$tree/$(dirname "$1")"
    printf '#include %s\n' "$2" >>"$tree/$1"
}
clean_tree() {
    rm -rf "${tree:?}"/*
    plant reference/fp4.h '<stdint.h>'
    plant reference/matmul.c '"reference/fp4.h"'
    plant reference/matmul.c '<omp.h>'
    plant kernels/rs_gemm.cu '"reference/bf16.h"'
    plant kernels/rs_gemm.cu '"kernels/rs_index.h"'
    plant kernels/rs_gemm.cu '<cuda_runtime.h>'
    plant probes/score.c '"reference/matmul.h"'
    plant oracle/answer/verdict.c '"probes/score.h"'
    plant oracle/exec/gpu.c '"kernels/rs_gemm.h"'
    plant oracle/exec/gpu.c '<cuda.h>'
    plant oracle/exec/module.c '<cuda_runtime_api.h>'
    plant oracle/io/picture.c '<png.h>'
    plant oracle/io/json.h '<jansson.h>'
    plant oracle/io/json.c '<jansson.h>'
    plant oracle/cli/main.c '"oracle/fragoracle.h"'
    plant oracle/cli/main.c '"oracle/cli/command.h"'
    plant oracle/cli/main.c '<argp.h>'
    plant tests/kernels/test_rs.c '"kernels/rs_index.h"'
    plant tests/kernels/test_rs.c '"tests/support/random.h"'
    plant tests/kernels/test_rs.c '<cmocka.h>'
    plant scripts/attach/example.cu '"kernels/fragoracle_device.h"'
    plant artifacts/report.c '"../anything.h"'
}
check() { # WANTED STATUS, WORDS, NAME
    out=$("$FRAGORACLE_RULES"/includes.sh "$tree")
    got=$?
    ran=$((ran + 1))
    if [ "$got" -ne "$1" ] || ! printf '%s\n' "$out" | grep -qF -- "$2"; then
        printf '%s: status %s, want %s with "%s":\n%s\n' "$3" "$got" "$1" "$2" "$out"
        failed=$((failed + 1))
    fi
}
wrong() { # FILE INCLUDE: the clean tree with this one line must fail, and the file must be named
    clean_tree
    plant "$1" "$2"
    check 1 "$1:" "$1 includes $2"
    case $out in *', 1 wrong'*) ;; *) printf '%s includes %s: not exactly 1 wrong\n' "$1" "$2" && failed=$((failed + 1)) ;; esac
}

clean_tree
check 0 ', 0 wrong' 'the clean tree'
rm -rf "${tree:?}"/*
check 1 '0 files' 'the empty tree'
mkdir "$tree/reference" && : >"$tree/reference/empty.c"
check 1 '1 files, 0 includes' 'a tree without an include'

wrong reference/matmul.c '"kernels/rs_index.h"'
wrong reference/matmul.c '"probes/score.h"'
wrong reference/matmul.c '"oracle/io/npy.h"'
wrong reference/matmul.c '"tests/support/random.h"'
wrong reference/matmul.c '<mpfr.h>'
wrong reference/matmul.c '<cuda_bf16.h>'
wrong kernels/rs_index.h '"reference/fragment.h"'
wrong kernels/rs_index.h '"reference/mxfp4.h"'
wrong kernels/rs_index.h '"reference/fp4.h.h"'
wrong kernels/capture.cuh '"probes/score.h"'
wrong kernels/rs_gemm.cu '"oracle/io/npy.h"'
wrong probes/score.c '"kernels/rs_index.h"'
wrong probes/score.c '"oracle/io/npy.h"'
wrong probes/score.c '<png.h>'
wrong probes/score.c '"tests/support/random.h"'
wrong oracle/io/npy.c '"tests/support/random.h"'
wrong oracle/io/npy.c '<cmocka.h>'
wrong oracle/answer/heatmap.c '<png.h>'
wrong oracle/answer/verdict.c '<jansson.h>'
wrong oracle/answer/verdict.c '<cuda.h>'
wrong oracle/answer/verdict.c '<dlfcn.h>'
wrong oracle/answer/verdict.c '<zlib.h>'
wrong oracle/cli/check.c '"oracle/io/npy.h"'
wrong oracle/cli/check.c '"probes/score.h"'
wrong oracle/cli/check.c '<jansson.h>'
wrong tests/kernels/test_rs.c '<cuda.h>'
wrong oracle/io/npy.c '"npy.h"'
wrong oracle/io/npy.c '"../io/npy.h"'
wrong oracle/io/npy.c 'MACRO'
wrong scripts/attach/example.cu '"kernels/rs_gemm.h"'
wrong scripts/attach/example.cu '"kernels/ptx_wgmma.cuh"'
wrong src/new.c '<stdint.h>'
clean_tree
printf '  #\tinclude  "probes/score.h" // why\n' >>"$tree/kernels/rs_gemm.cu"
check 1 'kernels/rs_gemm.cu:4:' 'an include with spaces and a comment'

echo "$ran cases, $failed failed"
[ "$ran" -gt 0 ] && [ "$failed" -eq 0 ]
