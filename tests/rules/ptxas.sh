#!/bin/sh
# scripts/ptxas_check.sh must find what it looks for: each case states the exit status and the words it must print.
#   tests/rules/ptxas.sh       run from the root; needs nvcc
ran=0 failed=0
expect() { # STATUS WORDS ARGUMENT...
    want=$1 words=$2
    shift 2
    out=$(scripts/ptxas_check.sh "$@" 2>&1)
    got=$?
    ran=$((ran + 1))
    if [ "$got" -ne "$want" ] || ! printf '%s\n' "$out" | grep -qF -- "$words"; then
        printf 'ptxas_check.sh %s: status %s, want %s with "%s":\n%s\n' "$*" "$got" "$want" "$words" "$out"
        failed=$((failed + 1))
    fi
}
empty=$(mktemp --suffix=.cu)
broken=$(mktemp --suffix=.cu)
trap 'rm -f "$empty" "$broken"' EXIT
echo '__device__ int not_a_kernel;' >"$empty"
echo 'syntax error' >"$broken"
expect 1 '(C7510)' tests/rules/serialise.cu
expect 1 '(C7517)' tests/rules/serialise.cu
expect 0 '1 kernels, 0 findings' -DCLEAN tests/rules/serialise.cu
expect 1 'bytes spill stores' tests/rules/spill.cu
expect 1 '2 kernels' -DCLEAN tests/rules/serialise.cu tests/rules/spill.cu
# The example that others start from, as it is and captured.
expect 0 '1 kernels, 0 findings' scripts/attach/matmul.cu
expect 0 '1 kernels, 0 findings' -DFRAGORACLE_TAP scripts/attach/matmul.cu
expect 2 '0 kernels' "$empty"
expect 2 'does not compile' "$broken"
echo "$ran cases, $failed failed"
[ "$ran" -gt 0 ] && [ "$failed" -eq 0 ]
