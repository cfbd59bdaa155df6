#!/bin/sh
# tap with a real ptxas: nothing new in a small module, nor in the production kernel, with everything tapped; and a
# toolkit folder whose nvcc taps what it compiles. Needs ptxas; what needs nvcc is left out without it.
. tests/cli/lib.sh
PATH=$PATH:/usr/local/cuda/bin
unset FRAGORACLE_TAP FRAGORACLE_TAP_LOG FRAGORACLE_PTXAS
command -v ptxas >/dev/null || { echo "not run: no ptxas"; exit 77; }

run 0 tap tests/cli/tap.ptx -o "$scratch/out.ptx" --all
says "conforms"
says "0 > 0   registers"
says "0 > 0   memory"
run 0 tap tests/cli/tap.ptx -o "$scratch/out.ptx" --all --last --iterations 3 --blocks 7 --warpgroup 1 --warpgroups 3
run 0 tap tests/cli/tap.ptx -o "$scratch/out.ptx" --iterations 8000
says "conforms"
printf '%s' "wrong" >>"$scratch/out.ptx"
trouble "out.ptx" tap "$scratch/out.ptx" -o "$scratch/again.ptx"

if command -v nvcc >/dev/null; then
    holds "nvcc -ptx" nvcc -ptx -arch=compute_90a -O3 -lineinfo -I . -o "$scratch/rs_gemm.ptx" kernels/rs_gemm.cu
    run 0 tap "$scratch/rs_gemm.ptx" -o "$scratch/out.ptx"
    says "kernels/"
    says "conforms"
    holds "a toolkit" scripts/tap_toolkit.sh "$scratch/kit" "$(dirname "$fragoracle")/fragoracle-ptxas"
    holds "once more" scripts/tap_toolkit.sh "$scratch/kit" "$(dirname "$fragoracle")/fragoracle-ptxas"
    holds "its nvcc taps" env FRAGORACLE_TAP= FRAGORACLE_TAP_LOG="$scratch/log" "$scratch/kit/bin/nvcc" -cubin -O3 \
        -gencode arch=compute_90a,code=sm_90a -I . -o "$scratch/rs.cubin" kernels/rs_gemm.cu
    holds "the kernel is tapped" grep -aq fragoracle_tap_head "$scratch/rs.cubin"
    holds "the sites are logged" grep -q fragoracle.tap/1 "$scratch"/log/*.sites.json
    holds "without the variable it does not" "$scratch/kit/bin/nvcc" -cubin -O3 \
        -gencode arch=compute_90a,code=sm_90a -I . -o "$scratch/rs.cubin" kernels/rs_gemm.cu
    holds "the kernel is as it was" sh -c "! grep -aq fragoracle_tap_head '$scratch/rs.cubin'"
    mkdir "$scratch/path"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v nvcc)" >"$scratch/path/nvcc"
    chmod +x "$scratch/path/nvcc"
    holds "a toolkit from an nvcc that is a script" env PATH="$scratch/path:$PATH" scripts/tap_toolkit.sh \
        "$scratch/kit" "$(dirname "$fragoracle")/fragoracle-ptxas"
    holds "with the same ptxas" sh -c "'$scratch/kit/bin/ptxas' --version | grep -q 'ptx.*assembler'"
    mkdir "$scratch/mine"
    holds "a folder of somebody else is refused" sh -c \
        "! scripts/tap_toolkit.sh '$scratch/mine' '$(dirname "$fragoracle")/fragoracle-ptxas'"
    holds "and still there" test -d "$scratch/mine"
else
    echo "not run: no nvcc"
fi
finish
