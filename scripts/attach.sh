#!/usr/bin/env bash
# The three ways of oracle/ATTACH.md, each on its small kernel of scripts/attach/: capture it and judge the capture,
# first as it is, then with the A registers R1 and R2 exchanged, which must be found.
#   scripts/attach.sh [OUT]      OUT: folder for everything, default results/attach; it must not exist, or have been
#                                made by this script. FRAGORACLE_BUILD: the build folder, default build/default, which
#                                is built where it is missing
# Needs a Hopper GPU, nvcc, and for Triton a python3 with triton and torch. One line a step: way, verdict, seconds.
# Exit status: 0 all six came out as they should; 1 one did not; 2 trouble, or a way was not run for want of a tool.
set -euo pipefail
[[ $# -le 1 && ${1-} != -* ]] || { printf 'usage: %s [OUT]\n' "$0" >&2 && exit 2; }
out=${1:+$(realpath -m -- "$1")}
build=${FRAGORACLE_BUILD:+$(realpath -m -- "$FRAGORACLE_BUILD")}
source "$(dirname "$0")/common.sh"
out=${out:-$root/results/attach}

if [[ -z $build ]]; then
    build=$root/build/default
    if [[ ! -x $build/oracle/fragoracle || ! -x $build/oracle/fragoracle-ptxas ]]; then
        install_packages
        if ! build default fragoracle || ! build default fragoracle-ptxas; then trouble "the build failed"; fi
        build default fragoracle_tap || printf 'no injected library: it wants the headers of CUPTI\n' >&2
    fi
fi
fragoracle=$build/oracle/fragoracle
standin=$build/oracle/fragoracle-ptxas
inject=$build/oracle/exec/inject/libfragoracle_tap.so
for program in "$fragoracle" "$standin"; do
    [[ -x $program ]] || trouble "no $program: build it"
done

[[ ! -e $out || -e $out/.fragoracle-attach ]] || trouble "$out: is there and was not made by this script"
rm -rf "$out"
mkdir -p "$out"
: >"$out/.fragoracle-attach"
# Whatever is set outside must not reach into this.
unset FRAGORACLE_TAP FRAGORACLE_TAP_LOG FRAGORACLE_TAP_OUT FRAGORACLE_TAP_LAUNCHES FRAGORACLE_TAP_KERNEL
unset FRAGORACLE_PTXAS CUDA_INJECTION64_PATH TRITON_PTXAS_PATH TRITON_CACHE_DIR

# ---- the ways -------------------------------------------------------------------------------------------------------
# way_WAY FOLDER [--wrong] leaves the matrices and the capture in FOLDER; missing_WAY says which tool it lacks.

nvcc_flags=(-gencode "arch=compute_90a,code=sm_90a" -lineinfo -I.)
declare -A capture=([header]=capture.ftap [toolkit]=captures/launch0 [standin]=captures/launch0)

missing_header() {
    command -v nvcc >/dev/null || printf 'no nvcc on PATH'
}
# The exit status of a program is part of what must come out: 1 for a wrong product.
runs() { # WANTED COMMAND...
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [[ $status -eq $wanted ]] && return
    printf '%s ended with status %s, should be %s\n' "$1" $status "$wanted"
    return 1
}
way_header() {
    [[ ${2-} ]] || nvcc "${nvcc_flags[@]}" -DFRAGORACLE_TAP scripts/attach/matmul.cu -o "$out/matmul-header"
    runs $((${2:+1})) "$out/matmul-header" "$1" ${2:+"$2"}
}

missing_toolkit() {
    if [[ ! -e $inject ]]; then printf 'no %s' "$inject"; else missing_header; fi
}
way_toolkit() {
    if [[ -z ${2-} ]]; then
        scripts/tap_toolkit.sh "$out/cuda" "$standin"
        FRAGORACLE_TAP="" FRAGORACLE_TAP_LOG=$1/modules "$out/cuda/bin/nvcc" "${nvcc_flags[@]}" \
            scripts/attach/matmul.cu -o "$out/matmul-toolkit"
    fi
    CUDA_INJECTION64_PATH=$inject FRAGORACLE_TAP_OUT=$1/captures \
        runs $((${2:+1})) "$out/matmul-toolkit" "$1" ${2:+"$2"}
}

missing_standin() {
    if [[ ! -e $inject ]]; then
        printf 'no %s' "$inject"
    elif ! python3 -c 'import torch, triton' 2>/dev/null; then
        printf 'no triton and torch in python3'
    elif ! command -v ptxas >/dev/null; then
        printf 'no ptxas on PATH'
    fi
}
way_standin() {
    local ptxas=$standin
    if [[ ${2-} ]]; then
        write_exchanger "$1/ptxas"
        ptxas=$1/ptxas
    fi
    # A fresh cache: Triton does not compile again what it has.
    TRITON_PTXAS_PATH=$ptxas TRITON_CACHE_DIR=$1/cache FRAGORACLE_TAP="--iterations 8" \
        FRAGORACLE_TAP_LOG=$1/modules CUDA_INJECTION64_PATH=$inject FRAGORACLE_TAP_OUT=$1/captures \
        runs $((${2:+1})) python3 scripts/attach/triton_int8.py "$1"
}

# The mistake for a kernel whose author cannot be asked to make it: a ptxas that exchanges the second and third
# register of A in every wgmma that takes A from registers, and goes on to the stand-in. Such a line has two lists:
#     wgmma.mma_async... {D registers}, {A registers}, descriptor, ...
write_exchanger() { # FILE
    local file=$1
    cat >"$file.awk" <<'AWK'
BEGIN { FS = "[{}]" }
/wgmma\.mma_async/ && $3 ~ /^,[ \t]*$/ && split($4, a, /,/) == 4 {
    $0 = $1 "{" $2 "}" $3 "{" a[1] "," a[3] "," a[2] "," a[4] "}" $5
}
{ print }
AWK
    cat >"$file" <<'WRAPPER'
#!/usr/bin/env bash
set -euo pipefail
arguments=()
for argument; do
    if [[ $argument == *.ptx && -f $argument ]]; then
        awk -f "$0.awk" "$argument" >"$0.exchanged.ptx"
        argument=$0.exchanged.ptx
    fi
    arguments+=("$argument")
done
WRAPPER
    printf 'exec %q "${%s[@]}"\n' "$standin" arguments >>"$file"
    chmod +x "$file"
}

# ---- one step -------------------------------------------------------------------------------------------------------

failed=0 not_run=0
# A capture, and what infer says of it. Prints the verdict; status 0 when it is the one that should be.
judge() { # FOLDER CAPTURE [--wrong]
    local status=0 verdict
    "$fragoracle" infer --capture "$1/$2" --matrix "$1/w.npy" --b "$1/x.npy" --out "$1/verdict" \
        >"$1/verdict.txt" 2>&1 || status=$?
    verdict=$(sed -n 's/^verdict: //p' "$1/verdict.txt")
    if [[ -z ${3-} ]]; then
        printf '%s' "${verdict:-no verdict}"
        [[ $status -eq 0 && $verdict == conforms ]]
    elif grep -qF 'registers R1 and R2 exchanged' "$1/verdict.txt"; then
        printf '%s, registers R1 and R2 exchanged' "${verdict%%:*}"
        [[ $status -eq 1 ]]
    else
        printf '%s, and not that R1 and R2 are exchanged' "${verdict:-no verdict}"
        return 1
    fi
}

step() { # WAY [--wrong]
    local name=$1${2:+-exchanged} why begin end verdict status=0
    local folder=$out/$name
    why=$("missing_$1")
    if [[ -n $why ]]; then
        printf '%-18s  not run: %s\n' "$name" "$why"
        not_run=$((not_run + 1))
        return
    fi
    mkdir "$folder"
    begin=$(date +%s%3N)
    # Not in a condition: there bash forgets -e.
    set +e
    (set -e; "way_$1" "$folder" ${2:+"$2"}) >"$folder/log" 2>&1 </dev/null
    status=$?
    set -e
    if [[ $status -ne 0 ]]; then
        verdict="the capture failed, see $folder/log"
    else
        verdict=$(judge "$folder" "${capture[$1]}" ${2:+"$2"}) || status=1
    fi
    end=$(date +%s%3N)
    if [[ $status -ne 0 ]]; then
        verdict="WRONG: $verdict"
        failed=$((failed + 1))
        tail -n 20 "$folder/log" >&2
        [[ ! -e $folder/verdict.txt ]] || cat "$folder/verdict.txt" >&2
    fi
    printf '%-18s  %-44s  %3d.%d s\n' "$name" "$verdict" $(((end - begin) / 1000)) $(((end - begin) / 100 % 10))
}

for wrong in "" --wrong; do
    for way in header toolkit standin; do
        step $way ${wrong:+"$wrong"}
    done
done
printf '%d as they should be, %d not, %d not run\n' $((6 - failed - not_run)) $failed $not_run
[[ $failed -eq 0 ]] || exit 1
[[ $not_run -eq 0 ]] || exit 2
