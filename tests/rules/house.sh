#!/bin/sh
# House rules that a machine can hold: no file over 600 lines, no work left in comments, a README in every room, scripts
# that parse, artifacts that are what they were.
#   tests/rules/house.sh [ROOT]
cd "${1:-.}" || exit 2
failed=0
wrong() {
    echo "$1"
    failed=$((failed + 1))
}
sources=$(find .ci scripts reference kernels probes oracle tests CMakeLists.txt -type f \( -name '*.[ch]' -o -name '*.cu' \
    -o -name '*.cuh' -o -name '*.def' -o -name '*.sh' -o -name '*.awk' -o -name '*.py' -o -name CMakeLists.txt \
    -o -path .ci/run \) | LC_ALL=C sort)
files=0
for file in $sources; do
    files=$((files + 1))
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || wrong "$file: $lines lines, more than 600"
    left=$(grep -nwE '(TO''DO|FIX''ME|XX''X)' "$file" /dev/null) && wrong "$left"
    case $file in *.sh | .ci/run) bash -n "$file" || wrong "$file: does not parse" ;; esac
done
for room in reference kernels probes oracle tests artifacts; do
    [ -s "$room/README.md" ] || wrong "$room/README.md: missing"
done
if [ -f artifacts/SHA256SUMS ]; then
    (cd artifacts && sha256sum --quiet -c SHA256SUMS) || wrong "artifacts/SHA256SUMS: does not hold"
fi
echo "$files files, $failed wrong"
[ "$files" -gt 0 ] && [ "$failed" -eq 0 ]
