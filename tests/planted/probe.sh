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

# The smallest shape from which the probe sees each, over the sample. Whoever asks less asks in vain: where there is
# such a shape, it stands behind.
while read -r fault sees blind; do
    case $fault in '#'*) continue ;; esac
    run 1 probe identity --on model --subject "rs+$fault" --shape "$sees"
    if [ -n "$blind" ]; then run 0 probe identity --on model --subject "rs+$fault" --shape "$blind"; fi
done <<END
# fault sees blind
F01 1,16,64
F02 1,16,64
F03 1,16,64
F04 1,16,64
F05 1,16,64
F06 1,80,64 96,64,192
F07 1,16,192 96,80,128
F08 1,16,64
F09 3,16,64 2,80,192
F11 1,16,64
F12 1,16,64
F13 1,16,64
F14 1,16,64
F15 1,16,64
F16 1,16,64
F18 1,16,64
F19 1,16,64
F20 1,16,64
F21 1,16,64
F22 1,16,64
F23 1,16,64
F24 1,16,64
F25 1,16,64
F26 8,16,64 7,80,192
F27 96,16,64 95,80,192
F28 8,16,64 7,80,192
F30 8,16,64 7,80,192
F31 8,16,64 7,80,192
F32 3,16,64 2,80,192
F33 1,16,64
F36 2,16,64 1,80,192
F37 1,16,64
F39 64,16,64 63,80,192
F47 1,16,64
F48 1,16,64
F53 1,16,64
F54 1,16,64
F55 1,16,64
F56 1,16,64
F57 1,16,64 96,64,192
END
# No id of the probe is bad: this one is for the routing cases of check.
run 0 probe identity --on model --subject rs+F29 --shape 96,80,192
# Padding and packing for 8 warps are innocent while there is one expert and one strip of 64 rows.
run 0 probe identity --on model --subject rs+F20 --shape 32,64,128 --historical
for fault in F38 F44; do
    trouble "a race, which the model has not" probe identity --on model --subject rs+$fault
done

# The line that repeats the worst pass does repeat it.
run 1 probe identity --on model --subject rs+F03 --weights adversarial --shape 40,80,192 --seed 3
repeat=$(sed -n 's/^repeat:  fragoracle //p' "$scratch/stdout")
worst=$(sed -n 's/^  worst pass *//p' "$scratch/stdout")
# shellcheck disable=SC2086
run 1 $repeat
says "passes 1"
says "$worst"
finish
