/* util.c - see util.h. */
#include "harness/util.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *must(void *p)
{
	if (!p) {
		(void)fputs("pagelab: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *lab_calloc(size_t n, size_t bytes)
{
	return must(calloc(n ? n : 1, bytes ? bytes : 1));
}
void *lab_realloc(void *p, size_t bytes)
{
	return must(realloc(p, bytes ? bytes : 1));
}
char *lab_strdup(const char *s)
{
	return must(strdup(s));
}

char *lab_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return must(n < 0 ? NULL : s);
}

void lab_copy(char *out, size_t cap, const char *s)
{
	size_t n = strnlen(s, cap - 1);
	memcpy(out, s, n);
	out[n] = 0;
}

void lab_text_add(struct lab_text *t, const char *s)
{
	size_t n = strlen(s);
	if (t->n + n + 1 > t->cap) {
		t->cap = (t->n + n + 1) * 2;
		t->s = lab_realloc(t->s, t->cap);
	}
	memcpy(t->s + t->n, s, n + 1);
	t->n += n;
}

void lab_text_addf(struct lab_text *t, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	lab_text_add(t, must(n < 0 ? NULL : s));
	free(s);
}

int lab_error(int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)fflush(stdout);
	(void)fputs("pagelab: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	return code;
}

int lab_exit_code(int err)
{
	switch (err) {
	case PL_OK:
		return LAB_OK;
	case PL_INVALID:
		return LAB_USAGE;
	case PL_UNSUPPORTED:
		return LAB_SKIPPED;
	case PL_AGAIN:
	case PL_INTERRUPTED:
		return LAB_AGAIN;
	default:
		return LAB_FAILED;
	}
}

int lab_mkdirs(const char *path, struct pl_fault *f)
{
	if (!*path)
		return pl_fault_set(f, PL_IO, "the name of a directory is empty");
	char *copy = lab_strdup(path);
	int err = PL_OK;
	for (char *p = copy + 1; !err; p++) {
		if (*p && *p != '/')
			continue;
		char at = *p;
		*p = 0;
		if (mkdir(copy, 0777) != 0 && errno != EEXIST)
			err = pl_fault_set(f, PL_IO, "cannot create directory %s: %s", copy, strerror(errno));
		*p = at;
		if (!at)
			break;
	}
	if (!err && !lab_is_dir(path))
		err = pl_fault_set(f, PL_IO, "%s is not a directory", path);
	free(copy);
	return err;
}

bool lab_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool lab_is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *lab_find_file(const char *relative)
{
	char exe[PATH_MAX];
	if (lab_exists(relative))
		return lab_strdup(relative);
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return NULL;
	exe[n] = 0;
	for (int up = 0; up < 4; up++) {
		(void)dirname(exe);
		char *path = lab_printf("%s/%s", exe, relative);
		if (lab_exists(path))
			return path;
		free(path);
	}
#ifdef PAGELAB_SOURCE_DIR
	char *path = lab_printf("%s/%s", PAGELAB_SOURCE_DIR, relative);
	if (lab_exists(path))
		return path;
	free(path);
#endif
	return NULL;
}

char *lab_read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	struct lab_text t = {0};
	char buf[65536];
	size_t n;
	lab_text_add(&t, "");
	while ((n = fread(buf, 1, sizeof buf - 1, file)) > 0) {
		buf[n] = 0;
		lab_text_add(&t, buf);
	}
	(void)fclose(file);
	return t.s;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

void lab_catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
}

bool lab_interrupted(void)
{
	return interrupted != 0;
}
