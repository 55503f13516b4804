#include "engine/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *pl_err_text(int err)
{
	switch (err) {
#define X(name, value, text)                                                                                           \
	case value:                                                                                                    \
		return text;
		PL_ERRORS(X)
#undef X
	default:
		return "unknown error";
	}
}

const char *pl_err_name(int err)
{
	switch (err) {
#define X(name, value, text)                                                                                           \
	case value:                                                                                                    \
		return #name;
		PL_ERRORS(X)
#undef X
	default:
		return "PL_UNKNOWN";
	}
}

int pl_fault_set(struct pl_fault *f, int err, const char *fmt, ...)
{
	if (f) {
		va_list ap;
		va_start(ap, fmt);
		f->err = err;
		(void)vsnprintf(f->text, sizeof f->text, fmt, ap);
		va_end(ap);
	}
	return err;
}

int pl_slice_cmp(pl_slice a, pl_slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	if (c)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}
