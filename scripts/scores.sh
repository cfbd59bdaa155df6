#!/usr/bin/env bash
# The score table of the README: the seed's case (P=32, N=128, K=128, x[p][p] = 1) for the right pack order and four wrong ones, on
# the sample of real weights and on spread scales. Arguments are passed on to `fragoracle probe`, for example --on model.
set -euo pipefail
source "$(dirname "$0")/common.sh"
program=build/default/oracle/fragoracle
[[ -x $program ]] || trouble "no $program; run scripts/check.sh first"
printf '| subject | weights | row_identity | col_identity | row_exact | col_exact | max_abs | mean_abs | verdict |\n'
printf '| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n'
for subject in rs rs+F01 rs+F02 rs+F03 rs+F04; do
    for weights in sample random; do
        status=0
        scores=$("$program" probe identity --historical --shape 32,128,128 --subject "$subject" --weights "$weights" \
            --seed 1 "$@") || status=$?
        [[ $status -le 1 ]] || exit "$status"
        awk -v subject="$subject" -v weights="$weights" '
            $1 ~ /^(row|col)_(identity|exact)$/ { of[$1] = $2 "/" $4 }
            $1 == "max_abs" { sub(",", "", $2); sub(",", "", $4); max = $2; mean = $4 }
            $1 == "verdict:" { verdict = $2 }
            END { printf "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |\n", subject, weights, of["row_identity"],
                  of["col_identity"], of["row_exact"], of["col_exact"], max, mean, verdict }' <<<"$scores"
    done
done
