#!/usr/bin/env bash
# compute-sanitizer over everything that runs on the GPU. Needs a Hopper GPU. It does not see what wgmma reads, neither
# registers nor shared memory, nor a missing commit or wait: the exact products of `check` and of tests/agree stand for these.
set -euo pipefail
source "$(dirname "$0")/common.sh"
program=${1:-build/default/oracle/fragoracle}
[[ -x $program ]] || trouble "no $program; run scripts/check.sh first"
command -v compute-sanitizer >/dev/null || trouble "no compute-sanitizer on PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
op=wgmma.m64n64k16.f32.bf16.bf16.rs
failed=0
run() {
    local status=0
    compute-sanitizer --tool "$tool" --error-exitcode 99 "$program" "$@" >"$folder/log" 2>&1 || status=$?
    printf '%-9s %-58s exit %d  %s\n' "$tool" "$*" "$status" "$(grep SUMMARY "$folder/log" | sed 's/=* //')"
    # What ran must have been seen by the tool, and must have conformed.
    if [[ $status -ne 0 ]] || ! grep -q SUMMARY "$folder/log"; then failed=1; fi
}
for tool in memcheck racecheck initcheck; do
    run capture $op A --on gpu
    run capture wgmma.m64n8k16.f32.bf16.bf16.rs D --method arithmetic --on gpu --out "$folder/capture"
    run decode --on gpu
    run probe identity --on gpu
    run check --on gpu --outputs 10000
done
exit $failed
