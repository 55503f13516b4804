/* trace_read.c - the formats of block traces.
 *
 * fio iolog (fio's HOWTO, "Trace file format"), fields separated by blanks:
 *     fio version 2 iolog                      fio version 3 iolog
 *     FILE add|open|close                      TIME FILE add|open|close
 *     FILE ACTION OFFSET LENGTH                TIME FILE ACTION OFFSET LENGTH
 *   ACTION: read write trim sync datasync, in version 2 also wait: OFFSET microseconds after the wait before it, less than
 *   100 counts for nothing. TIME: microseconds since the beginning. A file must be added and opened before it is used;
 *   only one file may be read or written, for there is one device.
 * blkparse, default format, fields separated by blanks:
 *     MAJOR,MINOR CPU SEQUENCE SECONDS.NANOSECONDS PID ACTION RWBS [SECTOR + SECTORS] [PROCESS]
 *   RWBS: an F in front is a flush before the request (a request of its own here), then R, W, D (discard), N (nothing), F
 *   (flush); behind that F (forced, FUA), A, S, M, B are hints. Records of other actions than the one wanted are skipped,
 *   and so is the summary that blkparse puts behind the last of them. Only one device may occur.
 * MSR Cambridge (Narayanan et al., FAST 2008, readme of the traces), fields separated by commas:
 *     TIME,HOST,DISK,Read|Write,OFFSET,SIZE,RESPONSE        TIME, RESPONSE: 100 ns; TIME since 1601
 *   Offsets and sizes are of a disk, hence multiples of 512. Only one host and disk may occur.
 *
 * Invariants:
 *  1. A line is understood in full or refused; what is passed over is counted.
 *  2. Times handed out never decrease.
 *  3. Memory: one line, and as many records as may be put into order.
 * Cost: about 0.2 us a line. Left out: binary blktrace, compressed files (use blkparse, zcat and "-"). */
#include "harness/trace_read.h"

#include "harness/util.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 4096
#define FILES_MAX 1024
#define WORDS_MAX 12
#define REQUEST_BYTES_MAX ((uint64_t)1 << 30) /* of a read or write */
#define SECTOR_BYTES 512u

enum file_state { FILE_ADDED, FILE_OPEN, FILE_CLOSED };

struct file {
	char *name;
	enum file_state state;
};

struct trace_reader {
	const char *path;
	FILE *in;
	struct trace_options o;
	int (*parse)(struct trace_reader *r, char *line, struct pl_fault *f);
	char line[LINE_BYTES];
	bool again; /* the line was looked at and is still to be parsed */
	bool end; /* no more lines that matter */
	uint64_t lines, records, skipped, reordered;
	int version; /* fio */
	struct file *file;
	size_t files;
	char *device; /* the one that is used: file, device numbers, host and disk */
	uint64_t device_line;
	uint64_t wait_ns; /* fio 2 */
	uint64_t longest; /* bytes of the longest read or write */
	bool seen[128]; /* blkparse: actions that occurred */
	struct trace_record got[2]; /* of the last line: a request, or a flush and one */
	int gots;
	struct trace_record *heap; /* least (time, line) first */
	size_t heaped;
	uint64_t last_ns, newest_ns;
};

static int bad(const struct trace_reader *r, struct pl_fault *f, const char *fmt, ...) PL_PRINTF(3, 4);
static int bad(const struct trace_reader *r, struct pl_fault *f, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return pl_fault_set(f, PL_INVALID, "%s:%" PRIu64 ": %s", r->path, r->lines, text);
}

/* Digits only, all of the word. */
static bool number(const char *s, uint64_t *out)
{
	uint64_t v = 0;
	if (!*s)
		return false;
	for (; *s; s++) {
		uint64_t digit = (uint64_t)(unsigned char)*s - '0';
		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

/* SECONDS.FRACTION with at most nine digits behind the point. */
static bool seconds(char *s, uint64_t *ns)
{
	uint64_t whole, part = 0;
	char *point = strchr(s, '.');
	size_t digits = point ? strlen(point + 1) : 0;
	if (point)
		*point = 0;
	bool ok = number(s, &whole) && whole < UINT64_MAX / 2000000000u &&
		  (!point || (digits <= 9 && number(point + 1, &part)));
	if (point)
		*point = '.';
	for (; digits < 9; digits++)
		part *= 10;
	*ns = ok ? whole * 1000000000u + part : 0;
	return ok;
}

static size_t words(char *line, char **word)
{
	size_t n = 0;
	char *save = NULL;
	for (char *w = strtok_r(line, " \t", &save); w && n < WORDS_MAX; w = strtok_r(NULL, " \t", &save))
		word[n++] = w;
	return n;
}

/* The first one used is the device; another is refused. */
static int same_device(struct trace_reader *r, const char *name, const char *what, struct pl_fault *f)
{
	if (!r->device) {
		r->device = lab_strdup(name);
		r->device_line = r->lines;
	}
	if (strcmp(r->device, name) == 0)
		return PL_OK;
	return bad(r, f,
		"a request of %s %.80s, but line %" PRIu64 " is of %.80s: a trace of one %s is wanted, filter it first",
		what, name, r->device_line, r->device, what);
}

/* Offset and size in units of the trace. whole: the trace is of a disk, which knows only whole sectors. */
static int extent(
	struct trace_reader *r, struct trace_record *t, uint64_t offset, uint64_t size, bool whole, struct pl_fault *f)
{
	uint64_t unit = r->o.unit_bytes;
	if (offset > UINT64_MAX / 2 / unit || size > UINT64_MAX / 2 / unit)
		return bad(r, f,
			"offset %" PRIu64 " and size %" PRIu64 " in units of %" PRIu64 " bytes are no place on a disk",
			offset, size, unit);
	t->offset = offset * unit;
	t->bytes = size * unit;
	if (!size)
		return bad(r, f, "a %s of size 0", dev_op_name[t->op]);
	if (whole && (t->offset % SECTOR_BYTES || t->bytes % SECTOR_BYTES))
		return bad(r, f,
			"offset %" PRIu64 " and size %" PRIu64 " are not whole sectors of 512 bytes, as a disk's are; "
			"if they count sectors, say --trace-block 512",
			t->offset, t->bytes);
	if (t->op == DEV_PUNCH)
		return PL_OK;
	if (t->bytes > REQUEST_BYTES_MAX)
		return bad(r, f,
			"a %s of %" PRIu64
			" bytes; no disk takes more than 1 GiB at once: are these the units of the trace "
			"(%" PRIu64 " bytes, --trace-block)?",
			dev_op_name[t->op], t->bytes, unit);
	r->longest = pl_max64(r->longest, t->bytes);
	return PL_OK;
}

static struct trace_record *got(struct trace_reader *r, enum dev_op op, uint64_t time_ns)
{
	struct trace_record *t = &r->got[r->gots++];
	*t = (struct trace_record){.line = r->lines, .time_ns = time_ns, .op = op};
	return t;
}

/* ---- fio */

static struct file *fio_file(struct trace_reader *r, const char *name)
{
	for (size_t i = 0; i < r->files; i++)
		if (strcmp(r->file[i].name, name) == 0)
			return &r->file[i];
	return NULL;
}

static int fio_manage(struct trace_reader *r, const char *name, const char *action, struct pl_fault *f)
{
	struct file *file = fio_file(r, name);
	r->skipped++;
	if (strcmp(action, "add") == 0) {
		if (file)
			return PL_OK;
		if (r->files == FILES_MAX)
			return bad(r, f, "more than %d files", FILES_MAX);
		r->file = lab_realloc(r->file, (r->files + 1) * sizeof *r->file);
		r->file[r->files++] = (struct file){.name = lab_strdup(name), .state = FILE_ADDED};
		return PL_OK;
	}
	bool opens = strcmp(action, "open") == 0;
	if (!opens && strcmp(action, "close") != 0)
		return bad(r, f,
			"'%.80s' is no action on a file (add, open, close), and offset and length are missing for "
			"another",
			action);
	if (!file)
		return bad(r, f, "%.80s was not added before", name);
	if (!opens && file->state != FILE_OPEN)
		return bad(r, f, "%.80s is closed, but was not open", name);
	file->state = opens ? FILE_OPEN : FILE_CLOSED;
	return PL_OK;
}

static int fio_parse(struct trace_reader *r, char *line, struct pl_fault *f)
{
	static const struct {
		const char *name;
		enum dev_op op;
	} actions[] = {{"read", DEV_READ}, {"write", DEV_WRITE}, {"trim", DEV_PUNCH}, {"sync", DEV_SYNC},
		{"datasync", DEV_SYNC}};
	char *word[WORDS_MAX], **w = word;
	uint64_t time_us = 0, offset, length;
	size_t n = words(line, word);
	if (!n)
		return PL_OK;
	if (r->version == 3) {
		if (!number(word[0], &time_us) || time_us > UINT64_MAX / 2000)
			return bad(r, f, "'%.80s' is no time in microseconds", word[0]);
		w++;
		n--;
	}
	if (n == 2)
		return fio_manage(r, w[0], w[1], f);
	if (n != 4)
		return bad(r, f, "%zu fields where %s are wanted", n + (size_t)(w - word),
			r->version == 3 ? "5 (time file action offset length) or 3 (time file add|open|close)"
					: "4 (file action offset length) or 2 (file add|open|close)");
	if (!number(w[2], &offset) || !number(w[3], &length))
		return bad(r, f, "offset '%.40s' and length '%.40s' are not both whole numbers", w[2], w[3]);
	if (strcmp(w[1], "wait") == 0) {
		if (r->version == 3)
			return bad(r, f, "an iolog of version 3 has times and no wait");
		if (offset > UINT64_MAX / 4000)
			return bad(r, f, "cannot wait %" PRIu64 " microseconds", offset);
		r->skipped++;
		r->wait_ns += offset < 100 ? 0 : offset * 1000;
		return r->wait_ns < UINT64_MAX / 2 ? PL_OK : bad(r, f, "the waits so far are longer than 292 years");
	}
	const struct file *file = fio_file(r, w[0]);
	if (!file || file->state != FILE_OPEN)
		return bad(r, f, "%.80s is used, but was not %s before", w[0], file ? "opened" : "added and opened");
	for (size_t i = 0; i < PL_COUNT(actions); i++) {
		if (strcmp(actions[i].name, w[1]) != 0)
			continue;
		struct trace_record *t = got(r, actions[i].op, r->version == 3 ? time_us * 1000 : r->wait_ns);
		int err = same_device(r, w[0], "file", f);
		return err || t->op == DEV_SYNC ? err : extent(r, t, offset, length, false, f);
	}
	return bad(r, f, "'%.80s' is no action (read, write, trim, sync, datasync, wait)", w[1]);
}

/* ---- blkparse */

/* RWBS: *flush a flush comes first; *op DEV_OPS: nothing else. */
static bool blk_operation(const char *s, bool *flush, enum dev_op *op, bool *forced, bool *nothing)
{
	*flush = *s == 'F';
	*forced = *nothing = false;
	*op = DEV_OPS;
	s += *flush;
	switch (*s) {
	case 'R':
		*op = DEV_READ;
		break;
	case 'W':
		*op = DEV_WRITE;
		break;
	case 'D':
		*op = DEV_PUNCH;
		s += s[1] == 'E';
		break;
	case 'E':
		*op = DEV_PUNCH;
		break;
	case 'N':
		*nothing = true;
		break;
	case 'F':
		break;
	default:
		if (!*flush)
			return false;
		s--; /* a flush and nothing but hints */
	}
	for (s++; *s; s++) {
		if (!strchr("AFSMB", *s))
			return false;
		*forced |= *s == 'F';
	}
	return true;
}

static int blk_parse(struct trace_reader *r, char *line, struct pl_fault *f)
{
	char *word[WORDS_MAX];
	uint64_t ignored, time_ns, sector = 0, sectors = 0;
	enum dev_op op;
	bool flush, forced, nothing;
	if (strncmp(line, "CPU", 3) == 0 || strncmp(line, "Total", 5) == 0) {
		r->end = true; /* the summary, to the end of the file */
		return PL_OK;
	}
	if (strncmp(line, "Input file ", 11) == 0)
		return PL_OK;
	size_t n = words(line, word);
	if (!n)
		return PL_OK;
	if (n < 7)
		return bad(
			r, f, "%zu fields where blkparse has at least 7 (device cpu sequence time pid action rwbs)", n);
	char *comma = strchr(word[0], ',');
	if (comma)
		*comma = 0;
	bool is_device = comma && number(word[0], &ignored) && number(comma + 1, &ignored);
	if (comma)
		*comma = ',';
	if (!is_device || !number(word[1], &ignored) || !number(word[2], &ignored) || !number(word[4], &ignored))
		return bad(r, f, "device '%.20s', cpu '%.20s', sequence '%.20s' and pid '%.20s' are not all numbers",
			word[0], word[1], word[2], word[4]);
	if (!seconds(word[3], &time_ns))
		return bad(r, f, "'%.80s' is no time in seconds", word[3]);
	char action = word[5][0];
	if (!strchr("ABCDFGIMPQRSTUXm", action) || (word[5][1] && strcmp(word[5], "UT") != 0))
		return bad(r, f, "'%.20s' is no action of blkparse", word[5]);
	r->seen[(unsigned char)action] = true;
	if (action != r->o.action) {
		r->skipped++;
		return PL_OK;
	}
	if (!blk_operation(word[6], &flush, &op, &forced, &nothing))
		return bad(r, f, "'%.20s' is no operation that is known (F, then R, W, D or N, then A, F, S, M, B)",
			word[6]);
	bool sized = n >= 10 && strcmp(word[8], "+") == 0;
	if (sized && (!number(word[7], &sector) || !number(word[9], &sectors)))
		return bad(r, f, "sector '%.40s' and count '%.40s' are not both whole numbers", word[7], word[9]);
	if (nothing || (action == 'C' && word[n - 1][0] == '[' && strcmp(word[n - 1], "[0]") != 0)) {
		r->skipped++; /* a command that moves no data, or a request that failed (its error stands last) */
		return PL_OK;
	}
	int err = same_device(r, word[0], "device", f);
	if (!err && flush)
		(void)got(r, DEV_SYNC, time_ns);
	if (err || (flush && (op == DEV_OPS || !sectors)))
		return err;
	if (op == DEV_OPS) {
		(void)got(r, DEV_SYNC, time_ns);
		return PL_OK;
	}
	if (!sized)
		return bad(r, f, "a %s without `sector + sectors`", dev_op_name[op]);
	struct trace_record *t = got(r, op, time_ns);
	t->forced = forced && op == DEV_WRITE;
	return extent(r, t, sector, sectors, true, f);
}

/* ---- MSR Cambridge */

static size_t split(char *line, char **field, size_t room)
{
	size_t n = 0;
	for (char *at = line; at;) {
		if (n < room)
			field[n] = at;
		n++;
		at = strchr(at, ',');
		if (at)
			*at++ = 0;
	}
	return n;
}

static int msr_parse(struct trace_reader *r, char *line, struct pl_fault *f)
{
	char *field[7], disk[LINE_BYTES];
	uint64_t ticks, number_of_disk, offset, size, response;
	if (!*line || (r->lines == 1 && strncasecmp(line, "timestamp,", 10) == 0))
		return PL_OK;
	size_t n = split(line, field, PL_COUNT(field));
	if (n != PL_COUNT(field))
		return bad(r, f, "%zu fields where 7 are wanted (time,host,disk,type,offset,size,response)", n);
	if (!number(field[0], &ticks) || ticks > UINT64_MAX / 100)
		return bad(r, f, "'%.80s' is no time in units of 100 ns", field[0]);
	if (!number(field[2], &number_of_disk) || !number(field[4], &offset) || !number(field[5], &size) ||
		!number(field[6], &response))
		return bad(r, f,
			"disk '%.30s', offset '%.30s', size '%.30s' and response time '%.30s' are not all whole "
			"numbers",
			field[2], field[4], field[5], field[6]);
	enum dev_op op = strcasecmp(field[3], "read") == 0 ? DEV_READ : DEV_WRITE;
	if (op == DEV_WRITE && strcasecmp(field[3], "write") != 0)
		return bad(r, f, "'%.80s' is neither Read nor Write", field[3]);
	struct trace_record *t = got(r, op, ticks * 100);
	(void)snprintf(disk, sizeof disk, "%.80s %" PRIu64, field[1], number_of_disk);
	int err = same_device(r, disk, "disk", f);
	return err ? err : extent(r, t, offset, size, true, f);
}

/* ---- lines */

/* The next line without its end. PL_NOTFOUND at the end. */
static int next_line(struct trace_reader *r, struct pl_fault *f)
{
	if (r->again) {
		r->again = false;
		return PL_OK;
	}
	if (!fgets(r->line, sizeof r->line, r->in)) {
		if (lab_interrupted())
			return pl_fault_set(f, PL_INTERRUPTED, "interrupted");
		return ferror(r->in) ? pl_fault_set(f, PL_IO, "cannot read %s: %s", r->path, strerror(errno))
				     : PL_NOTFOUND;
	}
	r->lines++;
	size_t n = strlen(r->line);
	if (n == sizeof r->line - 1)
		return bad(r, f, "the line is longer than %zu bytes", sizeof r->line - 2);
	if (n && r->line[n - 1] != '\n' && !feof(r->in))
		return bad(r, f, "the line holds a zero byte: this is no text");
	while (n && isspace((unsigned char)r->line[n - 1]))
		r->line[--n] = 0;
	return PL_OK;
}

static bool is_blkparse(const char *line)
{
	unsigned major, minor, cpu;
	unsigned long long sequence;
	double at;
	return strncmp(line, "Input file ", 11) == 0 ||
	       sscanf(line, " %u,%u %u %llu %lf", &major, &minor, &cpu, &sequence, &at) == 5;
}

static bool is_msr(const char *line)
{
	size_t commas = 0;
	for (const char *s = line; *s; s++)
		commas += *s == ',';
	return commas == 6 && (isdigit((unsigned char)*line) || strncasecmp(line, "timestamp,", 10) == 0);
}

static int unknown_format(struct trace_reader *r, struct pl_fault *f)
{
	const unsigned char *s = (const unsigned char *)r->line;
	if (s[0] == 0x1f && s[1] == 0x8b)
		return pl_fault_set(f, PL_INVALID, "%s is compressed: zcat it into `--trace -`", r->path);
	if ((s[0] == 0x07 && s[1] == 't' && s[2] == 'a' && s[3] == 'e') || (s[0] == 'e' && s[1] == 'a' && s[2] == 't'))
		return pl_fault_set(
			f, PL_INVALID, "%s is a binary blktrace: give the text that blkparse makes of it", r->path);
	for (unsigned char *c = (unsigned char *)r->line; *c; c++)
		*c = isprint(*c) ? *c : '?';
	return pl_fault_set(f, PL_INVALID,
		"%s:1: '%.60s' begins no trace that is known (fio iolog version 2 or 3, text of blkparse, MSR "
		"Cambridge)",
		r->path, r->line);
}

static int find_format(struct trace_reader *r, struct pl_fault *f)
{
	int err;
	do {
		err = next_line(r, f);
	} while (!err && !r->line[0]);
	if (err == PL_NOTFOUND)
		return pl_fault_set(f, PL_INVALID, "%s is empty", r->path);
	if (err) /* too long, or with zero bytes: what is there of it may tell what it is */
		return err == PL_INVALID && r->lines == 1 && r->o.format == TRACE_AUTO ? unknown_format(r, f) : err;
	enum trace_format format = r->o.format;
	bool fio = sscanf(r->line, "fio version %d iolog", &r->version) == 1;
	if (format == TRACE_AUTO)
		format = fio                    ? TRACE_FIO
			 : is_msr(r->line)      ? TRACE_MSR
			 : is_blkparse(r->line) ? TRACE_BLKPARSE
						: TRACE_AUTO;
	if (format == TRACE_AUTO)
		return unknown_format(r, f);
	if (format == TRACE_FIO && (!fio || (r->version != 2 && r->version != 3)))
		return pl_fault_set(f, PL_INVALID,
			"%s:1: an iolog begins with `fio version 2 iolog` or `fio version 3 iolog`, not '%.60s'",
			r->path, r->line);
	r->o.format = format;
	r->again = format != TRACE_FIO;
	r->parse = format == TRACE_FIO ? fio_parse : format == TRACE_MSR ? msr_parse : blk_parse;
	if (!r->o.unit_bytes)
		r->o.unit_bytes = format == TRACE_BLKPARSE ? SECTOR_BYTES : 1;
	if (!r->o.action)
		r->o.action = 'D';
	return PL_OK;
}

int trace_reader_open(const char *path, const struct trace_options *o, struct trace_reader **out, struct pl_fault *f)
{
	struct trace_reader *r = lab_calloc(1, sizeof *r);
	bool standard = strcmp(path, "-") == 0;
	r->path = standard ? "standard input" : path;
	r->o = *o;
	r->in = standard ? stdin : lab_is_dir(path) ? (errno = EISDIR, NULL) : fopen(path, "re");
	r->heap = lab_calloc((size_t)o->reorder + 2, sizeof *r->heap);
	int err = r->in ? find_format(r, f) : pl_fault_set(f, PL_IO, "cannot read %s: %s", path, strerror(errno));
	if (err) {
		trace_reader_close(r);
		return err;
	}
	*out = r;
	return PL_OK;
}

void trace_reader_close(struct trace_reader *r)
{
	if (r->in && r->in != stdin)
		(void)fclose(r->in);
	for (size_t i = 0; i < r->files; i++)
		free(r->file[i].name);
	free(r->file);
	free(r->device);
	free(r->heap);
	free(r);
}

/* ---- order */

static bool before(const struct trace_record *a, const struct trace_record *b)
{
	/* of one line, the flush comes before its request: they were pushed in this order */
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns
	       : a->line != b->line     ? a->line < b->line
					: a->op == DEV_SYNC && b->op != DEV_SYNC;
}

static void heap_push(struct trace_reader *r, struct trace_record t)
{
	size_t i = r->heaped++;
	for (; i && before(&t, &r->heap[(i - 1) / 2]); i = (i - 1) / 2)
		r->heap[i] = r->heap[(i - 1) / 2];
	r->heap[i] = t;
}

static struct trace_record heap_pop(struct trace_reader *r)
{
	struct trace_record top = r->heap[0], last = r->heap[--r->heaped];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < r->heaped; i = child) {
		child += child + 1 < r->heaped && before(&r->heap[child + 1], &r->heap[child]);
		if (!before(&r->heap[child], &last))
			break;
		r->heap[i] = r->heap[child];
	}
	r->heap[i] = last;
	return top;
}

/* The end of the file: does what was read make sense as a whole? */
static int judge(const struct trace_reader *r, struct pl_fault *f)
{
	if (!r->records && r->o.format == TRACE_BLKPARSE) {
		char other = r->seen['D'] ? 'D' : r->seen['Q'] ? 'Q' : 'C';
		if (r->seen[(unsigned char)other] && other != r->o.action)
			return pl_fault_set(f, PL_INVALID,
				"%s holds no request with action %c; it has some with %c: --trace-format blkparse:%c",
				r->path, r->o.action, other, other);
	}
	if (!r->records)
		return pl_fault_set(f, PL_INVALID, "%s holds no request", r->path);
	if (r->longest && r->longest < SECTOR_BYTES)
		return pl_fault_set(f, PL_INVALID,
			"%s: the longest request has %" PRIu64
			" bytes; if the trace counts sectors, say --trace-block 512",
			r->path, r->longest);
	return PL_NOTFOUND;
}

int trace_reader_next(struct trace_reader *r, struct trace_record *out, struct pl_fault *f)
{
	while (r->heaped <= r->o.reorder && !r->end) {
		int err = next_line(r, f);
		if (err == PL_NOTFOUND)
			r->end = true;
		else if (!err)
			err = r->parse(r, r->line, f);
		if (err && err != PL_NOTFOUND)
			return err;
		for (int i = 0; i < r->gots; i++) {
			r->records++;
			r->reordered += r->got[i].time_ns < r->newest_ns;
			r->newest_ns = pl_max64(r->newest_ns, r->got[i].time_ns);
			heap_push(r, r->got[i]);
		}
		r->gots = 0;
	}
	if (!r->heaped)
		return judge(r, f);
	*out = heap_pop(r);
	if (out->time_ns < r->last_ns)
		return pl_fault_set(f, PL_INVALID,
			"%s:%" PRIu64 ": time runs backwards by %" PRIu64
			" ns; if the lines are merely out of order, say --trace-reorder RECORDS (now %" PRIu32 ")",
			r->path, out->line, r->last_ns - out->time_ns, r->o.reorder);
	r->last_ns = out->time_ns;
	return PL_OK;
}

bool trace_reader_timed(const struct trace_reader *r)
{
	return r->o.format != TRACE_FIO || r->version == 3;
}

void trace_reader_tell(const struct trace_reader *r, struct trace_result *out)
{
	if (r->o.format == TRACE_FIO)
		(void)snprintf(out->format, sizeof out->format, "fio-%d", r->version);
	else if (r->o.format == TRACE_BLKPARSE)
		(void)snprintf(out->format, sizeof out->format, "blkparse:%c", r->o.action);
	else
		lab_copy(out->format, sizeof out->format, "msr");
	out->lines = r->lines;
	out->records = r->records;
	out->skipped = r->skipped;
	out->reordered = r->reordered;
	out->unit_bytes = r->o.unit_bytes;
}
