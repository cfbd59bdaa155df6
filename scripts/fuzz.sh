#!/usr/bin/env bash
# Fuzz every reader under libFuzzer, ASan and UBSan, one after the other, from the made corpus, and print what ran.
#   scripts/fuzz.sh SECONDS [FORMAT...]      SECONDS for each; default all formats. Needs clang.
# What a run learns is kept in build/fuzz/learnt/FORMAT; a crashing input lies beside it.
set -euo pipefail
source "$(dirname "$0")/common.sh"
[[ ${1-} =~ ^[1-9][0-9]*$ ]] || trouble "wanted SECONDS for each format"
seconds=$1
shift
formats=("$@")
[[ $# -gt 0 ]] || formats=(npy safetensors contract layout emit capture image ptx tap vm)
command -v clang >/dev/null || trouble "clang is needed; as root run: apt-get install -y clang"
folder=$root/build/fuzz
{
    cmake -S . -B "$folder" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DFRAGORACLE_CUDA=OFF -DFRAGORACLE_FUZZ=ON &&
        cmake --build "$folder" --target fuzz_corpus "${formats[@]/#/libfuzzer_}" --parallel "${FRAGORACLE_JOBS:-$(nproc)}"
} >&2 || trouble "the build failed"
"$folder/tests/fuzz/fuzz_corpus" "$folder/corpus"
export OMP_NUM_THREADS=1
failed=0
printf '%-12s %12s %9s %9s %8s  %s\n' format executions edges features inputs result
for format in "${formats[@]}"; do
    learnt=$folder/learnt/$format
    mkdir -p "$learnt" "$folder/seeds/$format"
    cp "$folder"/corpus/*."$format" "$folder/seeds/$format"
    result=clean
    "$folder/tests/fuzz/libfuzzer_$format" -max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 -artifact_prefix="$learnt-" "$learnt" "$folder/seeds/$format" \
        >"$folder/$format.log" 2>&1 || { result="FAILED, see build/fuzz/$format.log"; failed=1; }
    awk -v format="$format" -v result="$result" '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "ft:") ft = $(i + 1)
                                              if ($i == "corp:") { split($(i + 1), c, "/"); corpus = c[1] } } }
        /^stat::number_of_executed_units:/ { runs = $2 }
        END { printf "%-12s %12d %9d %9d %8d  %s\n", format, runs, cov, ft, corpus, result }' "$folder/$format.log"
done
exit $failed
