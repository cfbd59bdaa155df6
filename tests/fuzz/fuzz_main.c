/* fuzz_main: drives a fuzz target without libFuzzer.
 *
 *     fuzz_TARGET FILE...                   replay
 *     fuzz_TARGET --truncate FILE           every prefix, the empty one and the whole included
 *     fuzz_TARGET --mutate FILE COUNT SEED  COUNT seeded mutations; number i depends on FILE and SEED + i alone
 *
 * The three mix on one command line. A fault prints the arguments that repeat its case. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/io/file.h"
#include "tests/fuzz/fuzz.h"

/* In a sanitised build the sanitiser ends the process without a signal that we could catch. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static char current[600]; /* the arguments that repeat the case in hand */

static void say_current(void)
{
    static const char head[] = "repeat with: ";
    if (write(STDERR_FILENO, head, sizeof head - 1) < 0 || write(STDERR_FILENO, current, strlen(current)) < 0 ||
        write(STDERR_FILENO, "\n", 1) < 0)
        _exit(2);
}

static void on_signal(int number)
{
    say_current();
    signal(number, SIG_DFL);
    raise(number);
}

static uint64_t next_random(uint64_t *state)
{
    /* splitmix64: every seed, neighbours included, gives an unrelated stream. */
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* A copy in a block of exactly its size, so that a sanitiser sees a read past the end. */
static void run_case(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* One change of the kinds that break parsers: a flipped bit, a telling byte, a digit, a stretch removed, doubled, or
 * copied to another place. bytes has room for capacity. */
static size_t mutate_once(uint8_t *bytes, size_t size, size_t capacity, uint64_t *random)
{
    static const uint8_t telling[] = {0,   1,   0x7f, 0x80, 0xff, '"', '\\', '[', ']',
                                      '{', '}', ',',  ':',  '-',  '.', ' ',  '\n'};
    if (size == 0)
        return 0;
    size_t at = next_random(random) % size, to = next_random(random) % size;
    size_t stretch = 1 + next_random(random) % 16;
    stretch = stretch < size - at ? stretch : size - at;
    switch (next_random(random) % 6) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << next_random(random) % 8);
        break;
    case 1:
        bytes[at] = telling[next_random(random) % sizeof telling];
        break;
    case 2:
        bytes[at] = (uint8_t)('0' + next_random(random) % 10);
        break;
    case 3:
        memmove(bytes + at, bytes + at + stretch, size - at - stretch);
        return size - stretch;
    case 4:
        if (stretch > capacity - size)
            break;
        memmove(bytes + at + stretch, bytes + at, size - at);
        return size + stretch;
    default:
        stretch = stretch < size - to ? stretch : size - to;
        memmove(bytes + to, bytes + at, stretch);
    }
    return size;
}

static void mutate(const char *path, const uint8_t *bytes, size_t size, uint64_t count, uint64_t seed)
{
    size_t capacity = size + 64;
    uint8_t *work = malloc(capacity);
    if (!work)
        abort();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t random = seed + i;
        size_t changed = size;
        snprintf(current, sizeof current, "--mutate %s 1 %llu", path, (unsigned long long)(seed + i));
        memcpy(work, bytes, size);
        for (uint64_t n = 1 + next_random(&random) % 4; n > 0; n--)
            changed = mutate_once(work, changed, capacity, &random);
        run_case(work, changed);
    }
    free(work);
}

static void truncate_everywhere(const char *path, const uint8_t *bytes, size_t size)
{
    for (size_t prefix = 0; prefix <= size; prefix++) {
        snprintf(current, sizeof current, "--truncate %s (its first %zu bytes)", path, prefix);
        run_case(bytes, prefix);
    }
}

/* A whole number; anything else ends the program. */
static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || end == text || *end) {
        fprintf(stderr, "not a number: %s\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_current);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], on_signal);
    unsigned long long cases = 0;
    for (int i = 1; i < argc; i++) {
        bool cut = !strcmp(argv[i], "--truncate"), change = !strcmp(argv[i], "--mutate");
        if ((cut && i + 1 >= argc) || (change && i + 3 >= argc)) {
            fprintf(stderr, "%s wants FILE%s\n", argv[i], cut ? "" : " COUNT SEED");
            return 2;
        }
        const char *path = argv[cut || change ? ++i : i];
        uint8_t *bytes;
        size_t size;
        struct error e;
        char line[1100];
        if (file_read(path, 0, &bytes, &size, &e)) {
            fprintf(stderr, "%s\n", error_line(&e, line, sizeof line));
            return 2;
        }
        if (cut) {
            truncate_everywhere(path, bytes, size);
            cases += size + 1;
        } else if (change) {
            uint64_t count = number(argv[i + 1]);
            mutate(path, bytes, size, count, number(argv[i + 2]));
            cases += count;
            i += 2;
        } else {
            snprintf(current, sizeof current, "%s", path);
            run_case(bytes, size);
            cases++;
        }
        free(bytes);
    }
    fprintf(stderr, "%llu cases\n", cases);
    return cases ? 0 : 2; /* nothing run proves nothing */
}
