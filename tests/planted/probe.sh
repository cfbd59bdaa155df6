#!/bin/sh
# probe identity finds every planted fault on the model, from the shape on at which it shows, and nothing in clean twins.
. tests/cli/lib.sh

for subject in rs rs+none; do
    run 0 probe identity --on model --subject $subject
    says "verdict: conforms"
    run 0 probe identity --on model --subject $subject --historical
    run 0 probe identity --on model --subject $subject --weights adversarial --shape 33,144,320
    run 0 probe identity --on model --subject $subject --weights random --shape 15,16,64 --seed 5
done
for fault in F01 F02 F03 F04 F11; do
    run 1 probe identity --on model --subject rs+$fault
    says "verdict: differs"
    run 1 probe identity --on model --subject rs+$fault --historical
    run 1 probe identity --on model --subject rs+$fault --historical --weights random
done

# A scale index that stays relative to the K tile is right while one tile of 128 holds all of K. The historical case asks
# no k beyond P, and so never sees it: that is how the fault got away with it.
run 0 probe identity --on model --subject rs+F07 --shape 64,64,128
run 0 probe identity --on model --subject rs+F07 --shape 32,64,128 --historical
run 0 probe identity --on model --subject rs+F07 --shape 32,64,256 --historical
run 1 probe identity --on model --subject rs+F07 --shape 160,64,256 --historical
run 1 probe identity --on model --subject rs+F07 --shape 64,64,192
run 1 probe identity --on model --subject rs+F07 --shape 64,64,256
run 1 probe identity --on model --subject rs+F07
run 1 probe identity --on model --subject rs+F01+F07

# The line that repeats the worst pass does repeat it.
run 1 probe identity --on model --subject rs+F03 --weights adversarial --shape 40,80,192 --seed 3
repeat=$(sed -n 's/^repeat:  fragoracle //p' "$scratch/stdout")
worst=$(sed -n 's/^  worst pass *//p' "$scratch/stdout")
# shellcheck disable=SC2086
run 1 $repeat
says "passes 1"
says "$worst"
finish
