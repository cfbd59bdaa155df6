#include "oracle/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the operating system said about `path`, as an error. ENOMEM is ours to report as such. */
static enum status refuse(struct error *e, const char *path, const char *deed, int code)
{
    enum status s = error_set(e, code == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO, "cannot %s: %s", deed, strerror(code));
    error_at_path(e, path);
    return s;
}

static enum status refuse_input(struct error *e, const char *path, enum status s, const char *why)
{
    error_set(e, s, "%s", why);
    error_at_path(e, path);
    return s;
}

/* Fill data from fd; 0, or the errno. A file that shrank since its size was taken is EIO. */
static int read_all(int fd, uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        done += (size_t)n;
    }
    return 0;
}

enum status file_path(const char *folder, const char *name, char path[PATH_MAX], struct error *e)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "the path of the folder is too long");
    return STATUS_OK;
}

enum status file_read(const char *path, size_t limit, uint8_t **data, size_t *size, struct error *e)
{
    enum status s = STATUS_OK;
    uint8_t *bytes = NULL;
    /* Without O_NONBLOCK the open of a named pipe waits for a writer that may never come. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse(e, path, "open", errno);

    struct stat st;
    if (fstat(fd, &st)) {
        s = refuse(e, path, "stat", errno);
        goto cleanup;
    }
    if (!S_ISREG(st.st_mode)) {
        s = refuse_input(e, path, STATUS_BAD_INPUT, "not a regular file");
        goto cleanup;
    }
    if (limit && (uintmax_t)st.st_size > limit) {
        s = error_set(e, STATUS_BAD_INPUT, "%jd bytes are more than the limit of %zu", (intmax_t)st.st_size, limit);
        error_at_path(e, path);
        goto cleanup;
    }
    bytes = malloc(st.st_size ? (size_t)st.st_size : 1);
    if (!bytes) {
        s = refuse_input(e, path, STATUS_NO_MEMORY, "no memory for the file");
        goto cleanup;
    }
    int code = read_all(fd, bytes, (size_t)st.st_size);
    if (code) {
        s = refuse(e, path, "read", code);
        goto cleanup;
    }
    *data = bytes;
    *size = (size_t)st.st_size;
    bytes = NULL;

cleanup:
    free(bytes);
    close(fd);
    return s;
}

/* Write everything to fd; 0, or the errno. */
static int write_all(int fd, const uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        done += (size_t)n;
    }
    return 0;
}

/* Devices and pipes take the bytes as they come: there is no old content to keep, and a rename would replace them. */
static enum status write_through(const char *path, const void *data, size_t size, struct error *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return refuse(e, path, "open", errno);
    int code = write_all(fd, data, size);
    if (close(fd) && !code)
        code = errno;
    return code ? refuse(e, path, "write", code) : STATUS_OK;
}

/* Open a new file in the folder of `target`; its name goes to `aside` (PATH_MAX bytes). -1 with errno on failure.
 * Not mkstemp: the file shall get the permissions that the umask gives to any other new file. */
static int open_aside(const char *target, char *aside)
{
    static atomic_uint serial;
    const char *slash = strrchr(target, '/');
    int folder = slash ? (int)(slash - target) + 1 : 0;
    for (int attempt = 0; attempt < 100; attempt++) {
        int n = snprintf(aside, PATH_MAX, "%.*s.fragoracle-%ld-%u.tmp", folder, target, (long)getpid(),
                         atomic_fetch_add(&serial, 1));
        if (n >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

enum status file_write(const char *path, const void *data, size_t size, struct error *e)
{
    /* Through symbolic links: the rename shall replace the file, not the link that leads to it. */
    char real[PATH_MAX], aside[PATH_MAX];
    const char *target = realpath(path, real);
    struct stat st;
    bool old = target && !stat(target, &st);
    if (!target)
        target = path;
    if (old && S_ISDIR(st.st_mode))
        return refuse(e, path, "write", EISDIR);
    if (old && !S_ISREG(st.st_mode))
        return write_through(path, data, size, e);

    int fd = open_aside(target, aside);
    if (fd < 0)
        return refuse(e, path, "create a file beside it", errno);
    const char *deed = "write";
    int code = write_all(fd, data, size);
    if (!code && old && fchmod(fd, st.st_mode & 07777))
        code = errno;
    if (!code && fsync(fd)) {
        deed = "flush";
        code = errno;
    }
    /* Network file systems report a full disk only here. */
    if (close(fd) && !code)
        code = errno;
    if (!code && rename(aside, target)) {
        deed = "replace";
        code = errno;
    }
    if (!code)
        return STATUS_OK;
    unlink(aside);
    return refuse(e, path, deed, code);
}

enum status file_make_folder(const char *path, struct error *e)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (!length || length >= sizeof part)
        return refuse(e, path, "make the folder", length ? ENAMETOOLONG : ENOENT);
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        struct stat st;
        /* Whether mkdir says EEXIST, EROFS or EACCES about a folder that is there differs between file systems. */
        if (mkdir(part, 0777)) {
            int code = errno;
            if (stat(part, &st))
                return refuse(e, path, "make the folder", code);
            if (!S_ISDIR(st.st_mode))
                return refuse(e, path, "make the folder", ENOTDIR);
        }
        part[i] = path[i];
    }
    return STATUS_OK;
}

static uint32_t rotate_right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* One 64-byte block into the state. source: FIPS 180-4, 6.2.2. */
static void sha256_block(uint32_t state[8], const uint8_t block[64])
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], v[8];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
               block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    memcpy(v, state, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t t1 = v[7] + s1 + choose + k[t] + w[t];
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

void file_sha256(const void *data, size_t size, char hex[65])
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint8_t *bytes = data;
    size_t whole = size / 64 * 64, rest = size % 64;
    for (size_t at = 0; at < whole; at += 64)
        sha256_block(state, bytes + at);

    /* The tail: the rest, 0x80, zeros, and the length in bits as a big-endian 64-bit number that ends a block. */
    uint8_t tail[128] = {0};
    size_t tail_size = rest < 56 ? 64 : 128;
    if (rest)
        memcpy(tail, bytes + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[tail_size - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    for (size_t at = 0; at < tail_size; at += 64)
        sha256_block(state, tail + at);
    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08x", state[i]);
}
