/* npy: NumPy array files, versions 1.0 and 2.0, little endian, C order. */
#ifndef FO_ORACLE_IO_NPY_H
#define FO_ORACLE_IO_NPY_H

#include "reference/status.h"

/* "|u1" "<u2" "<u4" "<u8" "|i1" "<i4" "<f4" */
enum npy_type { NPY_U1, NPY_U2, NPY_U4, NPY_U8, NPY_I1, NPY_I4, NPY_F4 };
enum { NPY_RANK = 6 };

struct npy {
    enum npy_type type;
    int rank;
    size_t shape[NPY_RANK];
    void *data; /* owned; C order */
};

size_t npy_item_size(enum npy_type t);
const char *npy_type_name(enum npy_type t); /* the descr string */
size_t npy_count(const struct npy *a);

/* errors: STATUS_IO; STATUS_BAD_INPUT with path and byte offset: magic, version, header syntax, Fortran order, big
 * endian, a type not in the list, a rank above NPY_RANK, sizes that overflow, truncated or trailing data. */
enum status npy_read(const char *path, struct npy *out, struct error *e);
/* The same from memory (the fuzzer's door). `path` is for messages. */
enum status npy_parse(const char *path, const uint8_t *bytes, size_t size, struct npy *out, struct error *e);
void npy_free(struct npy *a);
/* Version 1.0. errors: STATUS_IO, STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT (a rank above NPY_RANK, a size that overflows).
 * Uses file_write. */
enum status npy_write(const char *path, enum npy_type type, int rank, const size_t *shape, const void *data,
                      struct error *e);
/* Does the array have this type and rank (and, where shape[i] != 0, these extents)? errors: STATUS_BAD_INPUT that says
 * what was wanted and what was found. */
enum status npy_expect(const struct npy *a, const char *path, enum npy_type type, int rank, const size_t *shape,
                       struct error *e);

#endif
