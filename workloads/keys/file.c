/* file.c - keys from a file: line n + 1 is the key of number n.
 *
 *   bytes:  a l i c e \n b o b \n ...        all of the file, held in memory
 *           ^            ^       ^
 *   start:  0            6       10 ...      of each line, and the end of the last one
 *
 * 1. A key is every byte of its line but the newline; the last line may lack that. A carriage return is part of a key.
 * 2. No line is empty, none is longer than WL_KEY_MAX, none occurs twice.
 * 3. The digest is of the file's bytes, so that equal contents are equal keys wherever the file lies.
 *
 * Cost: a key is a copy. Opening takes one pass and one look-up in a table per line, 16 bytes of memory a line beside the
 * file itself (the table is gone afterwards). Left out: files larger than memory. */
#include "workloads/keys/keys.h"
#include "workloads/workload.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

struct wl_key_file {
	char *bytes;
	uint64_t size; /* with the newline of the last line, which is added if it lacks */
	uint64_t *start; /* lines + 1 of them */
	uint64_t lines, digest;
	uint32_t longest; /* bytes of the longest key */
};

static int read_all(struct wl_key_file *k, FILE *in, const char *path, struct pl_fault *f)
{
	struct stat st;
	if (fstat(fileno(in), &st) || !S_ISREG(st.st_mode))
		return pl_fault_set(f, PL_INVALID, "keys.path: '%s' is no regular file", path);
	k->size = (uint64_t)st.st_size;
	k->bytes = malloc(k->size + 1);
	if (!k->bytes)
		return pl_fault_set(f, PL_NOMEM, "no memory for the %" PRIu64 " bytes of '%s'", k->size, path);
	if (fread(k->bytes, 1, k->size, in) != k->size || fgetc(in) != EOF)
		return pl_fault_set(f, PL_INVALID, "keys.path: cannot read '%s' from end to end", path);
	k->digest = XXH64(k->bytes, k->size, 0);
	if (k->size && k->bytes[k->size - 1] != '\n')
		k->bytes[k->size++] = '\n';
	return PL_OK;
}

static uint64_t line_end(const struct wl_key_file *k, uint64_t at)
{
	return (uint64_t)((char *)memchr(k->bytes + at, '\n', k->size - at) - k->bytes);
}

static int find_lines(struct wl_key_file *k, const char *path, struct pl_fault *f)
{
	for (uint64_t at = 0; at < k->size; at = line_end(k, at) + 1) {
		uint64_t bytes = line_end(k, at) - at;
		k->lines++;
		if (!bytes)
			return pl_fault_set(f, PL_INVALID, "%s:%" PRIu64 ": the line is empty; every line is a key",
				path, k->lines);
		if (bytes > WL_KEY_MAX)
			return pl_fault_set(f, PL_INVALID,
				"%s:%" PRIu64 ": a key of %" PRIu64 " bytes; keys have at most %u", path, k->lines,
				bytes, WL_KEY_MAX);
		if (bytes > k->longest)
			k->longest = (uint32_t)bytes;
	}
	if (!k->lines || k->lines > UINT32_MAX)
		return pl_fault_set(
			f, PL_INVALID, "%s: %" PRIu64 " lines; a file of keys has 1 to %u", path, k->lines, UINT32_MAX);
	k->start = malloc((k->lines + 1) * sizeof *k->start);
	if (!k->start)
		return pl_fault_set(f, PL_NOMEM, "no memory for the %" PRIu64 " lines of '%s'", k->lines, path);
	k->start[0] = 0;
	for (uint64_t i = 0; i < k->lines; i++)
		k->start[i + 1] = line_end(k, k->start[i]) + 1;
	return PL_OK;
}

static uint32_t key_bytes(const struct wl_key_file *k, uint64_t n)
{
	return (uint32_t)(k->start[n + 1] - k->start[n] - 1);
}

static bool same(const struct wl_key_file *k, uint64_t a, uint64_t b)
{
	return key_bytes(k, a) == key_bytes(k, b) &&
	       memcmp(k->bytes + k->start[a], k->bytes + k->start[b], key_bytes(k, a)) == 0;
}

/* An open table of line numbers, at most half full; lines in order, so that the first repetition is found first. */
static int find_repetition(const struct wl_key_file *k, const char *path, struct pl_fault *f)
{
	uint64_t room = 16;
	while (room < 2 * k->lines)
		room *= 2;
	uint32_t *table = calloc(room, sizeof *table); /* line + 1, 0: free */
	if (!table)
		return pl_fault_set(f, PL_NOMEM, "no memory to compare the %" PRIu64 " lines of '%s'", k->lines, path);
	int err = PL_OK;
	for (uint64_t n = 0; n < k->lines && !err; n++) {
		uint64_t at = XXH64(k->bytes + k->start[n], key_bytes(k, n), 0) & (room - 1);
		while (table[at] && !same(k, table[at] - 1, n))
			at = (at + 1) & (room - 1);
		if (table[at])
			err = pl_fault_set(f, PL_INVALID,
				"%s:%" PRIu64 ": the key of line %u again; every key occurs once", path, n + 1,
				table[at]);
		table[at] = (uint32_t)(n + 1);
	}
	free(table);
	return err;
}

int wl_key_file_open(const char *path, struct wl_key_file **out, struct pl_fault *f)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return pl_fault_set(f, PL_INVALID, "keys.path: cannot open '%s': %s", path, strerror(errno));
	struct wl_key_file *k = calloc(1, sizeof *k);
	int err = k ? read_all(k, in, path, f) : pl_fault_set(f, PL_NOMEM, "no memory for a file of keys");
	(void)fclose(in);
	if (!err)
		err = find_lines(k, path, f);
	if (!err)
		err = find_repetition(k, path, f);
	if (err)
		wl_key_file_close(k);
	else
		*out = k;
	return err;
}

void wl_key_file_close(struct wl_key_file *k)
{
	if (!k)
		return;
	free(k->bytes);
	free(k->start);
	free(k);
}

uint64_t wl_key_file_lines(const struct wl_key_file *k)
{
	return k->lines;
}
uint64_t wl_key_file_digest(const struct wl_key_file *k)
{
	return k->digest;
}

static uint32_t bytes_max(const struct wl_key_form *form)
{
	return form->file->longest;
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	const struct wl_key_file *k = form->file;
	assert(n < k->lines);
	memcpy(out, k->bytes + k->start[n], key_bytes(k, n));
	return key_bytes(k, n);
}

const struct wl_key_ops wl_keys_file = {
	.name = "file",
	.summary = "the lines of keys.path",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
	.own_order = true,
};
