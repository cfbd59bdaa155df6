/* safetensors: named tensors in one file. Header length u64 little endian, JSON header, data.
 * source: the format description of huggingface/safetensors. */
#ifndef FO_ORACLE_IO_SAFETENSORS_H
#define FO_ORACLE_IO_SAFETENSORS_H

#include "reference/hopper_layout.h"
#include "reference/status.h"

enum { SAFETENSORS_RANK = 6 };

struct safetensors_tensor {
    char *name;
    char dtype[8]; /* "U8", "BF16", "F32", ... */
    int rank;
    size_t shape[SAFETENSORS_RANK];
    size_t offset, bytes; /* into the data section */
};

struct safetensors {
    char *path;
    uint8_t *file; /* the whole file, owned */
    size_t file_bytes, data_start;
    size_t count;
    struct safetensors_tensor *tensor; /* sorted by offset */
};

/* Bits of one element of this dtype; 0 for a name that is not a dtype of the format. */
unsigned safetensors_dtype_bits(const char *dtype);

/* errors: STATUS_IO; STATUS_NO_MEMORY; STATUS_BAD_INPUT with path, tensor and byte offset: truncated file, header
 * length beyond the file or above the format's limit of 100,000,000, JSON (with line and column of the header in the
 * text), unknown dtype, wrong shapes, offsets that decrease, overlap, leave holes or leave the file, byte count that
 * disagrees with shape and dtype, duplicate names, names with control characters, trailing bytes. The offset is where
 * the header names the tensor, where its data begins, or where the file ends too early. */
enum status safetensors_read(const char *path, struct safetensors *out, struct error *e);
enum status safetensors_parse(const char *path, uint8_t *bytes, size_t size, struct safetensors *out,
                              struct error *e); /* takes ownership of bytes on success only */
void safetensors_free(struct safetensors *s);
const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name); /* NULL if absent */
const uint8_t *safetensors_data(const struct safetensors *s, const struct safetensors_tensor *t);

/* One tensor to write; data is borrowed. */
struct safetensors_entry {
    const char *name, *dtype;
    int rank;
    size_t shape[SAFETENSORS_RANK];
    const void *data;
};
/* metadata: NULL-terminated key, value, key, value, ...; may be NULL. Deterministic bytes: header and data in the order
 * given, the data from a multiple of 8 on. Uses file_write. errors: STATUS_IO, STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT
 * with path and tensor: unknown dtype, rank, a shape that is not whole bytes, a name twice, reserved or not UTF-8. */
enum status safetensors_write(const char *path, const struct safetensors_entry *entry, size_t count,
                              const char *const *metadata, struct error *e);

/* The MXFP4 weights STEM_blocks [E,N,K/32,16] and STEM_scales [E,N,K/32], both U8, as borrowed views.
 * errors: STATUS_BAD_INPUT with path and tensor: absent (lists the stems there are), original `block.*` names (says to
 * convert to the `model.layers.L.mlp.experts.*` names), a bf16-only checkpoint (STEM itself is there in BF16: says it
 * must be quantised), wrong type, rank or extents. */
enum status safetensors_weights(const struct safetensors *s, const char *stem, struct weights *w, struct error *e);

#endif
