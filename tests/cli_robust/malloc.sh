#!/bin/bash
# Every command with its n-th allocation failing: it ends with 2 and one line that says so, or, where the program could
# do without, with the good run's status and every byte of its results. It never crashes, and what it leaves behind is
# whole: each file is a file of the good run, byte for byte.
#   malloc.sh BINARY FAILMALLOC    n strided, so that a command runs no more often than stated below
#   FRAGORACLE_MALLOC=all          every n, and a few of check
source tests/cli_robust/common.sh
preload=$2
out=$work/out

# run N: the command of this case with its N-th allocation failing; sets status.
run() {
    rm -rf "$out"
    FAIL_MALLOC_AT=$1 FAIL_MALLOC_COUNT=$work/count LD_PRELOAD=$preload "$binary" "${command[@]}" \
        >"$work/stdout" 2>"$work/stderr" </dev/null
    status=$?
}

# What differs by nature from run to run.
without_seconds() {
    if [[ $1 == *.png ]]; then cat "$1"; else sed -E 's/(seconds": |time=")[0-9.e-]+|( +)[0-9]+\.[0-9]{2}( )/\3/' "$1"; fi
}

same() {
    cmp -s "$1" "$2" || { [[ ${command[0]} == check ]] && cmp -s <(without_seconds "$1") <(without_seconds "$2"); }
}

# Every file that is there belongs to the good run.
whole() {
    local file
    [[ -e $out ]] || return 0
    while read -r file; do
        [[ -f $work/good$file ]] && same "$out$file" "$work/good$file" || { wrong "$1: left ${file:-it} half-written"; }
    done < <(find "$out" -type f -printf '/%P\n' | sed 's,^/$,,')
}

# judge N GOOD_STATUS
judge() {
    local name="${command[*]}, allocation $1"
    cases=$((cases + 1))
    if [[ $status -eq 2 && ${command[0]} == check && -s $work/stdout ]]; then
        # A stage without memory is undecided; the table and check.json say so.
        grep -q 'undecided.*memory' "$work/stderr" && rm "$out/check.json" || wrong "$name: $(<"$work/stderr")"
    elif [[ $status -eq 2 ]]; then
        # OpenMP's own end of the process leaves an empty line first.
        one_line "$(grep . "$work/stderr" | sed 's/^libgomp: Out of/fragoracle: &/')" &&
            grep -qi memory "$work/stderr" || wrong "$name: says '$(<"$work/stderr")'"
        [[ ! -s $work/stdout ]] || wrong "$name: failed, and yet answered"
    elif [[ $status -ne $2 ]]; then
        wrong "$name: exit status $status: $(head -c 300 "$work/stderr")"
    else
        same "$work/stdout" "$work/good.stdout" && same "$work/stderr" "$work/good.stderr" &&
            [[ $(find "$out" 2>/dev/null | wc -l) -eq $(find "$work/good" 2>/dev/null | wc -l) ]] ||
            wrong "$name: exit status $status with another result"
    fi
    whole "$name"
}

# each MOST COMMAND...: at most MOST values of n, evenly spread from the first allocation to the last.
each() {
    local most=$1 good count n refused=0
    shift
    command=("$@")
    rm -rf "$work/good"
    run 0
    good=$status
    [[ $good -le 1 ]] || { wrong "${command[*]}: exit status $good without any failure: $(<"$work/stderr")"; return; }
    [[ ! -e $out ]] || mv "$out" "$work/good"
    mv "$work/stdout" "$work/good.stdout"
    mv "$work/stderr" "$work/good.stderr"
    count=$(<"$work/count")
    [[ ${FRAGORACLE_MALLOC-} == all && $1 != check ]] && most=$count
    local stride=$(((count - before_main + most - 1) / most))
    for ((n = before_main + 1; n <= count; n += stride)); do
        run "$n"
        refused=$((refused + (status == 2)))
        judge "$n" "$good"
    done
    printf '%s: %d allocations, every %d. failed, %d of %d runs refused\n' "${*//$work\//}" "$count" "$stride" \
        "$refused" $(((count - before_main + stride - 1) / stride))
    [[ $refused -gt 0 ]] || wrong "$*: no failure was ever noticed"
}

# A coded probe whose outputs hold the poison alone, one for both runs.
make_coded() {
    local x
    "$binary" emit coded --shape 2,8,32 --out "$work/coded" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    for x in $(sed -n 's/.*"\(out_[0-9]*\.npy\)".*/\1/p' "$work/coded/emit.json"); do
        cp "$work/coded/poison_a.npy" "$work/coded/$x"
    done
}

ulimit -c 0
make_inputs
# The CUDA runtime allocates before main and while it looks for a device, and does not survive a failure: what it does
# is not ours, so counting starts at main, and `list` is asked in builds without CUDA alone.
command=(--help)
run 0
before_main=$(<"$work/count")
if "$binary" list | grep -q 'built without CUDA'; then
    each 150 list --json
else
    echo "not run: list: this program holds the CUDA runtime"
fi
each 150 map $op A --slot 1.2.1
each 100 map $op D --json --format csv
each 20 map $op A --png "$out"
each 40 capture $op A --on model --out "$out"
each 100 capture $op A --method arithmetic --on model --out "$out"
each 60 mma mma.m16n8k16.f32.bf16.bf16 --a "$work/a.npy" --b "$work/b.npy" --c "$work/c.npy" --out "$out" --json
each 15 decode --on model --json
each 250 decode --on model --weights "$sample" --tensor "$tensor" --out "$out"
each 300 pack --weights "$sample" --tensor "$tensor" --out "$out"
each 250 unpack --in "$work/packed" --out "$out"
each 150 probe identity --on model --shape 4,16,64 --out "$out"
each 60 probe identity --on model --shape 4,16,64 --historical --weights random --subject rs+F02 --out "$out"
each 250 emit --shape 4,16,64 --out "$out"
each 150 score --in "$work/emit" --out "$out" --json
each 30 emit --shape 4,16,64 --no-scales --dense --weights-as hopper --out "$out"
each 30 probe identity --subject "files:$work/emit" --json
each 8 probe coded --on model --shape 2,16,64 --out "$out"
make_coded
each 8 emit coded --shape 2,8,32 --weights-as bf16 --out "$out"
each 8 score --in "$work/coded" --out "$out"
each 8 probe coded --subject "files:$work/coded"
each 60 tap tests/cli/tap.ptx --out "$out" --ptxas none --all --json
[[ ${FRAGORACLE_MALLOC-} != all ]] || each 30 check --on model --out "$out" --json
finish
