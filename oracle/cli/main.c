/* main: a table of commands. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/cli/command.h"

static const struct command *const commands[] = {
    &command_list,     &command_map,    &command_capture, &command_decode, &command_mma, &command_pack,
    &command_unpack,   &command_probe,  &command_emit,    &command_score,  &command_tap, &command_infer,
    &command_diagnose, &command_derive, &command_mutate,  &command_check,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *to)
{
    fprintf(to, "Usage: fragoracle COMMAND [options]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->does);
    fprintf(to, "\n`fragoracle COMMAND --help` lists the options of a command.\n"
                "Exit status: 0 conforms, permitted or not-applicable; 1 differs; 2 trouble, or nothing decided.\n");
}

static int outcome; /* what main returns */

/* Was everything written? A full disk shows only at the flush. And a library that ends the process (OpenMP without
 * memory) does so with a status of its own, which shall not read as a verdict. */
static void at_exit(int status, void *unused)
{
    (void)unused;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "fragoracle: standard output: %s\n", strerror(errno));
        _exit(argp_err_exit_status);
    }
    if (status == EXIT_DIFFERS && outcome != EXIT_DIFFERS)
        _exit(argp_err_exit_status);
}

/* Whatever is wrong with the rest of the line, git bisect shall skip. */
static int asks_to_skip(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--bisect") == 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    /* A full disk or a file-size limit is an error of write(2), reported with its path, not the end of the process. */
    signal(SIGXFSZ, SIG_IGN);
    argp_err_exit_status = asks_to_skip(argc, argv) ? EXIT_BISECT_SKIP : EXIT_TROUBLE;
    on_exit(at_exit, NULL);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0)) {
        usage(stdout);
        return EXIT_CONFORMS;
    }
    for (size_t i = 0; argc >= 2 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return outcome = command_run(commands[i], argc - 1, argv + 1);
    if (argc >= 2)
        fprintf(stderr, "fragoracle: unknown command '%s'; `fragoracle --help` lists them\n", argv[1]);
    else
        usage(stderr);
    return argp_err_exit_status;
}
