#!/usr/bin/env bash
# Faults that an oracle can have itself, where a program and its sources show them (tests/README.md lists all):
#   tests/rules/oracle_faults.sh FRAGORACLE      from the root
fragoracle=$1
build=$(cd "$(dirname "$fragoracle")/.." && pwd)
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
checks=0 failed=0
wrong() {
    echo "$*"
    failed=$((failed + 1))
}
check() { checks=$((checks + 1)); }

# O5, O6: what is shared between subject and judge is rebuilt wrong, and CI leaves no test out.
check
[ "$(ctest --test-dir "$build" -N -R '^agree/independence_' 2>/dev/null | grep -c ' Test ')" -ge 6 ] ||
    wrong "O5: the independence rebuilds are no tests of this build"
check
grep -nE 'ctest[^#]* (-R|-E|-L|-LE|-I)( |$)' .ci/run && wrong "O5: .ci/run leaves tests out"

# O7: errors and nearest-row scores are shown, never decided by.
check
shown='^(probes/(score\.[ch]|nearest\.h)|oracle/answer/(answer|scores)\.c)$'
users=$(grep -rlwE 'max_abs|mean_abs|rel_fro|row_identity|col_identity' oracle probes --include='*.[ch]')
[ -n "$users" ] || wrong "O7: nothing uses a score"
for file in $users; do
    [[ $file =~ $shown ]] || wrong "O7: $file uses a score that is not monotone; decide by exact equality"
done

# O8: a test that skips can say so to ctest, and CI counts skips apart from passes.
sources=$(grep -rlE '\bskip\(\)' tests --include='*.c')
[ -n "$sources" ] || wrong "O8: no test skips"
for file in $sources; do
    check
    grep -q 77 "$file" || wrong "O8: $file skips and cannot end with 77: a group that skips all would pass"
done
check
grep -q 'SKIP_RETURN_CODE 77' tests/CMakeLists.txt || wrong "O8: ctest does not know 77"
sed -n '/^failure() {/,/^}/p; /^tally() {/,/^}/p; /^vectors_ran() {/,/^}/p' .ci/run >"$scratch/tally.sh"
# tally_of STATUS LINES: passed, failed and skipped as .ci/run counts them
tally_of() {
    printf '%s\n' "$2" >"$scratch/junit.xml"
    (
        passed=0 failed=0 skipped=0
        unset FRAGORACLE_VECTORS
        # shellcheck disable=SC1091
        . "$scratch/tally.sh"
        tally preset "$1" "$scratch/junit.xml" >/dev/null 2>&1
        echo "$passed $failed $skipped"
    )
}
ran='<testcase name="a" status="run">'
skip='<testcase name="b" status="notrun"> <skipped message="SKIP_RETURN_CODE=77"/>'
missing='<testcase name="c" status="notrun"> <skipped message="Unable to find executable"/>'
bad='<testcase name="d" status="fail">'
tallies() { # WANTED STATUS LINES
    check
    got=$(tally_of "$2" "$3")
    [ "$got" = "$1" ] || wrong "O8: .ci/run counts '$got', wanted '$1': $3"
}
tallies '1 0 0' 0 "$ran"
tallies '1 0 1' 0 "$ran
$skip"
tallies '0 1 1' 0 "$skip"
tallies '1 1 0' 0 "$ran
$missing"
tallies '1 1 0' 8 "$ran
$bad"
tallies '1 1 0' 8 "$ran"
tallies '0 1 0' 0 ""

# O8: what is not there is trouble, never a pass.
absent() {
    check
    "$fragoracle" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    status=$?
    [ "$status" -eq 2 ] && [ ! -s "$scratch/out" ] && [ -s "$scratch/err" ] ||
        wrong "O8: fragoracle $*: status $status, wanted 2 and a line on stderr"
}
none=$scratch/there/is/none
absent probe identity --on model --weights "$none" --tensor x
absent decode --on model --weights "$none" --tensor x
absent score --in "$none"
absent infer --capture "$none" --matrix "$none"
absent map wgmma.m64n64k16.f32.bf16.bf16.rs A --against "$none"
absent unpack --in "$none" --out "$scratch/w"
absent tap "$none" --out "$scratch/o" --ptxas none
absent mutate "$none"
check
FRAGORACLE_ARTIFACTS=$none "$fragoracle" check --subject rs --on model >"$scratch/out" 2>&1
[ $? -eq 2 ] || wrong "O8: check without artifacts does not end with 2"
grep -q undecided "$scratch/out" || wrong "O8: check without artifacts does not say undecided"

# O10, O11: the benchmark times host code only, and every timed function says whether its answer was right. Whoever adds
# a kernel to it states how much of the chip the shape fills and which launch was timed, and writes the test for that.
check
grep -nE 'kernels/|machine_gpu|cuda' tests/bench/bench.c && wrong "O10, O11: the benchmark times a kernel"
timed=$(sed -n 's/^static bool \(run_[a-z_]*\)(void \*context)$/\1/p' tests/bench/bench.c)
[ -n "$timed" ] || wrong "O11: nothing is timed"
check
grep -q 'if (!l->run(context))' tests/bench/bench.c || wrong "O11: a wrong answer is timed all the same"

# O12: what documents tell the reader to run is there. Commands: lines of sh blocks, and `code` that begins with one.
commands() {
    awk '/^```/ { block = !block && /^```sh/; next } block' "$1"
    grep -oE '`(fragoracle [a-z]+ [^`]*|scripts/[a-z_/]+\.sh[^`]*)`' "$1" | tr -d '`'
}
"$fragoracle" --help >"$scratch/help"
quoted=0
for document in $(git ls-files '*.md' 2>/dev/null || find . -name '*.md' -not -path './build*'); do
    commands "$document" | sed 's/[[:blank:]]#.*//' >"$scratch/commands"
    while read -r line; do
        for script in $(grep -oE '(^| )(\./)?(scripts|\.ci)/[a-z_]+(\.sh)?( |$)' <<<"$line"); do
            quoted=$((quoted + 1))
            check
            [ -x "$script" ] || wrong "O12: $document: $script is no script"
        done
        command=$(sed -n 's/^\(.*[ /]\)\{0,1\}fragoracle \([a-z][a-z]*\)\( .*\)\{0,1\}$/\2/p' <<<"$line")
        [ -n "$command" ] || continue
        quoted=$((quoted + 1))
        check
        grep -qE "^  $command " "$scratch/help" || { wrong "O12: $document: no command '$command': $line" && continue; }
        "$fragoracle" "$command" --help >"$scratch/options"
        for option in $(sed "s/.*fragoracle $command//; s/'[^']*'//g" <<<"$line" | grep -oE '(^| )--[a-z][a-z-]*'); do
            check
            grep -qE -e "$option([=, ]|\$)" "$scratch/options" || wrong "O12: $document: $command has no $option: $line"
        done
    done <"$scratch/commands"
done
[ "$quoted" -ge 20 ] || wrong "O12: only $quoted commands in the documents"

# O13: who asks for the GPU gets it or trouble, never the model.
# zeros FILE SHAPE BYTES: an array of u2. The header has 118 (octal 166) bytes.
zeros() {
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<u2', 'fortran_order': False, 'shape': ($2), }" >"$1"
    head -c "$3" /dev/zero >>"$1"
}
zeros "$scratch/a.npy" '64, 16' 2048
zeros "$scratch/b.npy" '16, 8' 256
asked=0
for command in $(awk '/^  [a-z]+ / { print $1 }' "$scratch/help"); do
    "$fragoracle" "$command" --help | grep -q -e '--on=' || continue
    asked=$((asked + 1))
    check
    case $command in
    probe) arguments=(identity --historical) ;;
    infer) arguments=(--subject rs) ;;
    capture | map) arguments=(wgmma.m64n64k16.f32.bf16.bf16.rs A) ;;
    mma)
        arguments=(wgmma.m64n8k16.f32.bf16.bf16.rs --a "$scratch/a.npy" --b "$scratch/b.npy" --out "$scratch/d.npy") ;;
    *) arguments=() ;;
    esac
    timeout 300 "$fragoracle" "$command" "${arguments[@]}" --on gpu --json >"$scratch/out" 2>"$scratch/err" </dev/null
    status=$?
    if [ "$status" -eq 2 ] && [ ! -s "$scratch/out" ]; then
        grep -qi 'gpu\|cuda\|device' "$scratch/err" || wrong "O13: $command --on gpu: $(cat "$scratch/err")"
    elif grep -qE '"executor": "model"|bit-exact model' "$scratch/out" || [ "$status" -gt 1 ]; then
        wrong "O13: $command --on gpu: status $status, answered by the model"
    fi
done
[ "$asked" -ge 4 ] || wrong "O13: only $asked commands take --on"

echo "$checks checks, $failed failed"
[ "$checks" -gt 60 ] && [ "$failed" -eq 0 ]
