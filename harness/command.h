/* command.h - the commands of `pagelab`, and how they read their arguments. */
#ifndef PL_HARNESS_COMMAND_H
#define PL_HARNESS_COMMAND_H

#include "harness/util.h"

/* One option of a command. Exactly one of the destinations is set. */
struct arg {
	const char *name, *short_name; /* "--out"; "-v" or NULL */
	bool *flag; /* takes no value */
	const char **text; /* takes one value */
	struct arg_list *list; /* takes a value each time; --set takes all following words with a '=' */
	const char *help;
};
struct arg_list {
	const char **item;
	size_t n;
};
void arg_add(struct arg_list *l, const char *item);

/* Sort argv[0..argc) into options and positionals. LAB_OK, or LAB_USAGE after the sentence was printed. */
int args_parse(
	const char *command, const struct arg *options, size_t n, int argc, char **argv, struct arg_list *positional);

/* Each takes the words after its name and returns an exit code. */
int cmd_list(int argc, char **argv);
int cmd_expand(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_workload(int argc, char **argv);
int cmd_baseline(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_digest(int argc, char **argv);
int cmd_device(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_explain(int argc, char **argv);
extern const char device_help[]; /* what `pagelab device --help` says beyond the table of commands */

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage, *help;
};
extern const struct command commands[]; /* ends with name NULL */
/* The whole program. */
int pagelab_main(int argc, char **argv);

/* The results directory that EXP means: itself, or results/runs/<name>; absolute. NULL if there is none; caller frees. */
char *results_directory(const char *exp);
/* Run python with these words (the first its own name) to its end, its output to stderr; its exit code, -1 if there is none. */
int run_python(char *const argv[]);

struct pl_conf;
/* Set the key=value words of `--set`, property files (-P) and properties (-p). LAB_OK or LAB_USAGE. */
int args_set(
	struct pl_conf *c, const struct arg_list *set, const struct arg_list *files, const struct arg_list *properties);

#endif
