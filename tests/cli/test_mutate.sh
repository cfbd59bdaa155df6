#!/bin/sh
# mutate: a test that looks at half of what a kernel does, run on every mutant. An awk program plays the kernel: its
# output is what the first entry multiplies, with what stands behind the names of mutants put in; it has no notion of
# fences and waits, as hardware that happens to be in time.
. tests/cli/lib.sh
stand_in=$(dirname "$fragoracle")/fragoracle-ptxas
case $stand_in in /*) ;; *) stand_in=$PWD/$stand_in ;; esac
unset FRAGORACLE_MUTANT FRAGORACLE_MUTATE FRAGORACLE_TAP
kernel=tests/cli/tap.ptx
cat >"$scratch/play.awk" <<'END'
/^}/ { exit }
/fomutate,/ && !/mov\.b32/ { comes_from = $0; next }
/\.reg|wgmma\.(fence|commit|wait)|^[{\t ]*$|^\/\// { next }
{ if (/fomutate/ && !/mov\.b32/) $0 = $0 comes_from; gsub(/^[\t ]+/, ""); print }
END
# The test: as wrong as the kernel may be elsewhere, the first wgmma must have its A registers and its sign.
cat >"$scratch/test.sh" <<END
awk -f "$scratch/play.awk" "\$1" >"$scratch/output"
grep -qF '{%f1, %f2, %f3, %f4}, {%r2, %r3, %r4, %r5}, %rd4, %p1, 1, 1, 0;' "$scratch/output"
END
run 0 mutate "$kernel" --ptxas none
says "not-applicable"
says "not assembled: no ptxas"
says "100 of 111 mutants, chosen with --seed 0"
says "  a-exchange:0  $kernel:28:2: its A registers are {1, 0, 2, 3} of the original"

run 1 mutate "$kernel" --ptxas none --count 200 --run "sh $scratch/test.sh {}" --output "$scratch/output"
says "differs"
says "survivors: the test passes"
says "  negate-a:1  $kernel:31:2: A is multiplied by -1"
says "undecided: the test passes, and its output is the same"
says "  wait-drop:0  $kernel:33:2: without wgmma.wait_group.sync.aligned 0;"
# name        offered chosen killed hung survived undecided refused
row() {
    checks=$((checks + 1))
    awk -v row="$*" 'BEGIN { n = split(row, want, " ") }
        $1 == want[1] { for (i = 2; i <= n && $i == want[i]; i++); found = i > n } END { exit !found }' \
        "$scratch/stdout" || wrong "no row '$*'"
}
row a-exchange 12 12 6 0 6 0 0 50.0%
row a-rotate 6 6 3 0 3 0 0 50.0%
row a-halves 8 8 4 0 4 0 0 50.0%
row a-lanes 40 40 20 0 20 0 0 50.0%
row address-constant 2 2 0 0 2 0 0 0.0%
row descriptor-offset 20 20 5 0 5 10 0 50.0%
row descriptor-repeat 1 1 0 0 1 0 0 0.0%
row negate-a 3 3 1 0 1 1 0 50.0%
row negate-b 3 3 1 0 1 1 0 50.0%
row scale-d 4 4 2 0 1 1 0 66.7%
row accumulator-exchange 4 4 0 0 2 2 0 0.0%
row fence-drop 2 2 0 0 0 2 0 -
row wait-raise 2 2 0 0 0 2 0 -
row all 111 111 42 0 46 23 0 47.7%

# The line that repeats a survivor does, and keeps the file.
line=$(grep -F -- '--only negate-a:1 ' "$scratch/stdout")
holds "a line that repeats it" test -n "$line"
(cd . && sh -c "$(printf '%s' "$line" | sed "s|fragoracle|$fragoracle|; s|--keep \\.|--keep $scratch/kept --ptxas none|")" \
    >"$scratch/stdout" 2>"$scratch/stderr")
status=$?
line="the repeated line"
holds "it survives again" test "$status" -eq 1
says "  negate-a:1  $kernel:31:2: A is multiplied by -1"
holds "its file is kept" grep -qF '%rd5, 1, -1, 1, 0;' "$scratch/kept/negate-a-1.ptx"
holds "it is one token" sh -c "diff '$kernel' '$scratch/kept/negate-a-1.ptx' | grep -c '^[<>]' | grep -qx 2"

# A test that looks at all of it leaves none, and what cannot be noticed does not count.
cat >"$scratch/all.sh" <<END
awk -f "$scratch/play.awk" "\$FRAGORACLE_MUTANT" >"$scratch/output"
awk -f "$scratch/play.awk" "$kernel" | cmp -s - "$scratch/output"
END
run 0 mutate "$kernel" --ptxas none --count 200 --run "sh $scratch/all.sh" --output "$scratch/output"
says "conforms"
row all 111 111 88 0 0 23 0 100.0%
run 0 mutate "$kernel" --ptxas none --seed 3 --count 15 --run "sh $scratch/all.sh" --output "$scratch/output" --json
holds "JSON" grep -q '"schema": "fragoracle.mutate/1"' "$scratch/stdout"
holds "JSON has the seed" grep -q '"seed": 3' "$scratch/stdout"
run 0 mutate "$kernel" --ptxas none --seed 3 --count 15 --out "$scratch/answer.json"
holds "JSON in a file" grep -q '"chosen": 15' "$scratch/answer.json"

trouble "before any change the unmutated module fails its test (exit status 7)" mutate "$kernel" --ptxas none --run "exit 7"
trouble "no such" mutate "$kernel" --ptxas none --run "echo no such; exit 1"
trouble "--only: there is no mutant 'x'" mutate "$kernel" --only x
usage "KERNEL.ptx is needed" mutate
usage "--count" mutate "$kernel" --count 0

# Under the stand-in for ptxas: the mutant is what is assembled, and nobody takes the original for it.
cat >"$scratch/ptxas" <<'END'
#!/bin/sh
for last; do :; done
cp "$last" "$ASSEMBLED"
grep -q '%rd5, 1, -1, 1, 0;' "$last" && exit "${STATUS:-0}"
exit 0
END
chmod +x "$scratch/ptxas"
under() { # STATUS MUTANT: exit status wanted
    checks=$((checks + 1))
    line="fragoracle-ptxas with $2"
    status=0
    env FRAGORACLE_PTXAS="$scratch/ptxas" FRAGORACLE_MUTATE="$2" ASSEMBLED="$scratch/assembled" TMPDIR="$scratch/temp" \
        "$stand_in" -o "$scratch/out" "$kernel" >"$scratch/stdout" 2>"$scratch/stderr" || status=$?
    [ "$status" -eq "$1" ] || wrong "$line: wanted status $1"
    holds "nothing temporary is left" rmdir "$scratch/temp"
    mkdir "$scratch/temp"
}
mkdir "$scratch/temp"
under 0 negate-a:1
holds "the mutant is assembled" cmp "$scratch/assembled" "$scratch/kept/negate-a-1.ptx"
holds "and said" grep -qx "fragoracle-ptxas: $kernel: negate-a:1" "$scratch/stderr"
STATUS=9
export STATUS
under 9 negate-a:1
unset STATUS
for none in negate-a:99 nothing ../../negate-a:1 :; do
    under 0 "$none"
    holds "without that mutant the original is" cmp "$scratch/assembled" "$kernel"
    holds "and said" grep -q "^fragoracle-ptxas: not mutated: " "$scratch/stderr"
done
under 0 ""
holds "an empty variable is none" test ! -s "$scratch/stderr"

# Every mutant of the modules at hand, and some of the production kernel, with a real ptxas.
PATH=$PATH:/usr/local/cuda/bin
if command -v ptxas >/dev/null; then
    for module in "$kernel" tests/cli/mutate.ptx tests/cli/mutate_loop.ptx; do
        run 0 mutate "$module" --count 1000 --json
        holds "every mutant of $module is assembled" awk '/"total"/ { total = 1 }
            total && /"offered"/ { o = $2 } total && /"chosen"/ { c = $2 }
            total && /"not_assembled": 0,/ { ok = o == c && o + 0 > 50 } /"operators"/ { exit } END { exit !ok }' \
            "$scratch/stdout"
    done
else
    echo "not run: no ptxas"
fi
if command -v ptxas >/dev/null && command -v nvcc >/dev/null; then
    holds "nvcc -ptx" nvcc -ptx -arch=compute_90a -O3 -I . -o "$scratch/rs_gemm.ptx" kernels/rs_gemm.cu
    run 0 mutate "$scratch/rs_gemm.ptx" --count 16
    awk '$1 == "all" { exit !($3 == 16 && $8 == 0) }' "$scratch/stdout" || wrong "mutants of rs_gemm do not assemble"
else
    echo "not run: no nvcc"
fi
finish
