#!/bin/bash
# Every command that writes, where it cannot: a full disk (a limit on the size of files, which the program meets as an
# error of write), a folder where a file shall be, a file where a folder shall be, no parent, a full device, a full
# standard output. It ends with 2 and one line that names the path; old files keep their bytes, what is new is whole,
# and nothing is left aside.
#   full_disk.sh BINARY
source tests/cli_robust/common.sh
out=$work/out

# refused PATH WHAT: the last run ended with 2 and one line that names PATH.
refused() {
    cases=$((cases + 1))
    [[ $status -eq 2 ]] || wrong "$2: ${command[*]}: exit status $status: $said"
    one_line "$said" && [[ $said == *"$1"* ]] || wrong "$2: ${command[*]}: says '$said'"
}

# run BLOCKS: the command of this case with files of at most so many KiB; what it says goes through a pipe.
run() {
    said=$( (ulimit -f "$1"; exec "$binary" "${command[@]}") 2>&1 >/dev/null </dev/null)
    status=$?
}

# Old files keep their bytes, or have those of the good run. emit.json and layout.json vouch for the rest of their
# folder, so they are removed first.
untouched() {
    local file
    while read -r file; do
        [[ -e $work/good$file ]] || { wrong "$1: ${command[*]}: left $file"; continue; }
        cmp -s "$out$file" "$work/good$file" || [[ $(<"$out$file") == old ]] || wrong "$1: ${command[*]}: $file changed"
    done < <(find "$out" -type f -printf '/%P\n' | sed 's,^/$,,')
    while read -r file; do
        [[ -e $out$file || $file == /emit.json || $file == /layout.json ]] || wrong "$1: ${command[*]}: lost $file"
    done < <(find "$work/good" -type f -printf '/%P\n' | sed 's,^/$,,')
}

# An old result: the files of the good run with other bytes.
old_result() {
    local file
    rm -rf "$out"
    cp -r "$work/good" "$out"
    while read -r file; do
        printf 'old' >"$file"
    done < <(find "$out" -type f)
}

good_run() {
    command=("$@")
    rm -rf "$out" "$work/good"
    run unlimited
    if [[ $status -gt 1 || ! -e $out ]]; then
        wrong "${command[*]}: exit status $status: $said"
        return 1
    fi
    mv "$out" "$work/good"
}

# limits KIB...: the good run's largest file is larger than every one of them.
limits() {
    local kib
    for kib in "$@"; do
        rm -rf "$out"
        run "$kib"
        refused "$out" "at most $kib KiB a file"
        [[ -z $(find "$out" -name '*.tmp') ]] || wrong "at most $kib KiB: ${command[*]}: left $(find "$out" -name '*.tmp')"
        old_result
        run "$kib"
        refused "$out" "at most $kib KiB a file, over an old result"
        untouched "at most $kib KiB a file"
    done 2>/dev/null
}

# writes_file COMMAND...: the command writes the file $out.
writes_file() {
    good_run "$@" || return
    limits 0
    rm -rf "$out"
    mkdir "$out"
    run unlimited
    refused "$out" "a folder in the way"
    rmdir "$out" || wrong "a folder in the way: ${command[*]}: left something in it"
    command=("${@/#$out/$work/none/out}")
    run unlimited
    refused "$work/none/out" "no parent"
    command=("${@/#$out//dev/full}")
    run unlimited
    refused /dev/full "a full device"
    [[ -c /dev/full ]] || wrong "a full device: ${command[*]}: replaced it"
}

# writes_folder COMMAND...: the command writes files into the folder $out.
writes_folder() {
    local file
    good_run "$@" || return
    limits 0 "$(($(find "$work/good" -type f -printf '%s\n' | sort -n | tail -1) / 2048))"
    rm -rf "$out"
    printf 'old' >"$out"
    run unlimited
    refused "$out" "a file in the way"
    [[ $(<"$out") == old ]] || wrong "a file in the way: ${command[*]}: changed it"
    while read -r file; do
        old_result
        rm "$out/$file"
        mkdir "$out/$file"
        run unlimited
        refused "$out/$file" "a folder instead of $file"
        rmdir "$out/$file"
        cp "$work/good/$file" "$out/$file"
        untouched "a folder instead of $file"
    done < <(find "$work/good" -type f -printf '%P\n')
}

# prints COMMAND...: the command prints to standard output, and with --json prose to standard error before that fails.
prints() {
    command=("$@")
    said=$("$binary" "$@" 2>&1 >/dev/full </dev/null)
    status=$?
    said=${said##*$'\n'}
    refused "standard output" "standard output is full"
}

make_inputs
weights=(--weights "$sample" --tensor "$tensor")
writes_file list --out "$out"
writes_file map $op A --slot 1.2.1 --out "$out"
writes_file map $op A --png "$out"
writes_file capture $op A --on model --method onehot --out "$out"
writes_file mma mma.m16n8k16.f32.bf16.bf16 --a "$work/a.npy" --b "$work/b.npy" --out "$out"
writes_file decode --on model "${weights[@]}" --out "$out"
writes_file unpack --in "$work/packed" --out "$out"
writes_folder capture $op A --on model --method arithmetic --out "$out"
writes_folder pack "${weights[@]}" --out "$out"
writes_folder probe identity --on model --shape 4,16,64 --out "$out"
writes_folder emit --shape 4,16,64 --out "$out"
writes_folder score --in "$work/emit" --out "$out"
prints --help
prints list
prints list --help
prints map $op A
prints map $op A --json
prints decode --on model "${weights[@]}"
prints emit --shape 4,16,64 --out "$out"

# check is slow, and slower sanitised: once over an old result without room, once with nothing but its report.
[[ -z ${SANITISED-} ]] || { finish; exit; }
rm -rf "$work/good" "$out"
mkdir "$work/good"
touch "$work/good/check.json" "$work/good/contract_A.json" "$work/good/fragment_A.png"
old_result
unset OMP_NUM_THREADS
command=(check --on model --out "$out")
run 0
refused "$out" "at most 0 KiB a file, over an old result"
untouched "at most 0 KiB a file"
command=(check --on model --junit /dev/full)
run unlimited
refused /dev/full "a full device"
finish
