/* command_rig.h - what the tests of commands share: `pagelab words...` in a child process, what it wrote, and files, in
 * the directory `dir`. */
#ifndef PL_HARNESS_COMMAND_RIG_H
#define PL_HARNESS_COMMAND_RIG_H

#include "harness/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], *out_text, *err_text;

static inline char *file_text(const char *name)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	char *text = lab_read_file(path);
	return text ? text : lab_strdup("");
}

static inline pid_t begin(const char *const *word)
{
	char out[128], err[128];
	int argc = 0;
	while (word[argc])
		argc++;
	(void)snprintf(out, sizeof out, "%s/stdout", dir);
	(void)snprintf(err, sizeof err, "%s/stderr", dir);
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen(out, "w", stdout) || !freopen(err, "w", stderr))
			_exit(99);
		int code = pagelab_main(argc, (char **)(uintptr_t)word);
		(void)fflush(NULL);
		_exit(code);
	}
	return pid;
}

static inline int finish(pid_t pid)
{
	int status = 0;
	(void)waitpid(pid, &status, 0);
	free(out_text);
	free(err_text);
	out_text = file_text("stdout");
	err_text = file_text("stderr");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Run `pagelab words...`; its exit code. */
#define LAB(...) finish(begin((const char *const[]){"pagelab", __VA_ARGS__, NULL}))

static inline void assert_code(int got, int want)
{
	if (got != want)
		fail_msg("exit code %d instead of %d; it said: %s%s", got, want, out_text, err_text);
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

static inline void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

#endif
