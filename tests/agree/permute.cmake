# cmake -DIN=FILE -DOUT=FILE -DWHAT=NAME -P permute.cmake
# Writes IN to OUT with one formula made wrong. Every text that is replaced must stand in IN exactly once: a formula that
# was rewritten stops the build here instead of leaving an unharmed copy, which would make its test worthless.
if(WHAT STREQUAL a_registers) # reference/fragment.c: the images of the two register bits of A, exchanged
    set(from "{REG, 0, 8, 0}," "{REG, 1, 0, 8},")
    set(to "{REG, 0, 0, 8}," "{REG, 1, 8, 0},")
elseif(WHAT STREQUAL pack_order) # kernels/rs_index.h: v00..v07 in a row, R1 and R2 exchanged
    set(from "0, 1, 4, 5, 2, 3, 6, 7")
    set(to "0, 1, 2, 3, 4, 5, 6, 7")
elseif(WHAT STREQUAL masks) # kernels/rs_index.h: the shifts of the second and third byte, exchanged
    set(from "y[1] = word << 3 & mask" "y[2] = word << 6 & mask")
    set(to "y[1] = word << 6 & mask" "y[2] = word << 3 & mask")
elseif(WHAT STREQUAL row) # kernels/rs_index.h: the row of a feature, as if the 16 rows of a strip lay in order
    set(from "(feature / 16) * 4 + feature % 8 / 2")
    set(to "(feature / 16) * 4 + feature % 16 / 4")
elseif(WHAT STREQUAL none) # the clean twin
    set(from)
    set(to)
else()
    message(FATAL_ERROR "permute.cmake knows no '${WHAT}'")
endif()

file(READ ${IN} text)
foreach(old new IN ZIP_LISTS from to)
    string(REPLACE "${old}" "" without "${text}")
    string(LENGTH "${text}" all)
    string(LENGTH "${without}" rest)
    string(LENGTH "${old}" one)
    math(EXPR found "(${all} - ${rest}) / ${one}")
    if(NOT found EQUAL 1)
        message(FATAL_ERROR "${IN}: '${old}' stands there ${found} times, not once; bring permute.cmake up to date")
    endif()
    string(REPLACE "${old}" "${new}" text "${text}")
endforeach()
file(WRITE ${OUT} "${text}")
