/* run.c - `pagelab run`: which runs, in which order, in how many processes.
 *
 * Runs on simulated devices go side by side, one process each, at most --jobs at a time: their results do not depend on
 * what else the machine does. Runs on real devices come after them, one at a time, so that they do not disturb each
 * other. A single run is done in this process.
 *
 * Invariants:
 *  1. A finished run is not repeated, a result file is never half written, an interrupted run leaves nothing.
 *  2. One line on stderr per run that ended (or one that is rewritten, on a terminal), and one at the end.
 *  3. Exit code: 2 before anything ran; else 75 if interrupted or busy, 1 if a run failed, 77 if all that was asked
 *     for was skipped, else 0. */
#include "harness/command.h"
#include "harness/device_file.h"
#include "harness/execute.h"
#include "harness/facts.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "results/reader.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct session {
	const struct experiment *e; /* NULL: a single run */
	const char *directory, *keep;
	bool verbose, terminal;
	size_t total, ended, failed, already, skipped, busy, interrupted; /* of the selected runs */
	size_t older; /* already finished, by another revision of the program */
	size_t refused;
	char older_revision[64];
	bool anew; /* finished runs are run again */
	char first_failure[500];
	uint64_t start_ns;
};

struct job {
	pid_t pid;
	const struct spec *spec;
};

/* ---- what a person sees */

static void rate(char *out, size_t cap, uint64_t n, uint64_t ns)
{
	double per_second = ns ? (double)n * 1e9 / (double)ns : 0;
	if (per_second >= 1e6)
		(void)snprintf(out, cap, "%.2f Mops/s", per_second / 1e6);
	else
		(void)snprintf(out, cap, "%.1f kops/s", per_second / 1e3);
}

static void clear_line(const struct session *s)
{
	if (s->terminal)
		(void)fputs("\r\033[K", stderr);
}

static void say_ended(const struct session *s, const struct spec *spec, const struct exec_state *st)
{
	static const char *const word[] = {[EXEC_RUNNING] = "died",
		[EXEC_OK] = "ok",
		[EXEC_ALREADY] = "already finished",
		[EXEC_FAILED] = "FAILED",
		[EXEC_SKIPPED] = "skipped",
		[EXEC_BUSY] = "busy",
		[EXEC_INTERRUPTED] = "interrupted"};
	char speed[40];
	if (st->status == EXEC_ALREADY && !s->verbose)
		return;
	if (s->terminal && !s->verbose && st->status == EXEC_OK)
		return;
	clear_line(s);
	rate(speed, sizeof speed, st->operations, st->run_ns);
	(void)fprintf(stderr, "[%zu/%zu] %s %s", s->ended, s->total, spec->label, word[st->status]);
	if (st->status == EXEC_OK)
		(void)fprintf(stderr, ", %s, %" PRIu64 " ms", speed, st->wall_ms);
	if (*st->reason)
		(void)fprintf(stderr, "%s%s", st->status == EXEC_ALREADY ? " by revision " : ": ", st->reason);
	(void)fputc('\n', stderr);
}

static void say_progress(const struct session *s, const struct spec *spec, const struct exec_state *st)
{
	char speed[40] = "", left[40] = "";
	uint64_t now = pl_clock_ns() - s->start_ns;
	size_t done = s->ended - s->already;
	if (!s->terminal)
		return;
	if (st->elapsed_ns)
		rate(speed, sizeof speed, st->done, st->elapsed_ns);
	if (done)
		(void)snprintf(left, sizeof left, ", %.0f s left",
			(double)now / 1e9 * (double)(s->total - s->ended) / (double)done);
	(void)fprintf(stderr, "\r\033[K%zu/%zu %.60s: %s %" PRIu64 " %%%s%s%s", s->ended + 1, s->total, spec->label,
		st->phase, st->of ? st->done * 100 / st->of : 0, *speed ? ", " : "", speed, left);
	(void)fflush(stderr);
}

static void count(struct session *s, const struct spec *spec, const struct exec_state *st)
{
	s->ended++;
	s->already += st->status == EXEC_ALREADY;
	if (st->status == EXEC_ALREADY && strcmp(st->reason, facts_revision()) != 0) {
		s->older++;
		lab_copy(s->older_revision, sizeof s->older_revision, st->reason);
	}
	s->skipped += st->status == EXEC_SKIPPED;
	s->busy += st->status == EXEC_BUSY;
	s->interrupted += st->status == EXEC_INTERRUPTED;
	if (st->status == EXEC_FAILED || st->status == EXEC_RUNNING) {
		if (!s->failed++)
			(void)snprintf(s->first_failure, sizeof s->first_failure, "%s: %s", spec->label, st->reason);
	}
	say_ended(s, spec, st);
}

/* ---- processes */

static void run_here(struct session *s, const struct spec *spec, struct exec_state *st)
{
	struct exec_args a = {.spec = spec, .experiment = s->e, .directory = s->directory, .keep = s->keep};
	char revision[64] = "unknown";
	struct pl_fault f = {0};
	if (s->e && !s->anew && !spec->skip_err && exec_finished(spec, s->directory, revision, sizeof revision, &f)) {
		*st = (struct exec_state){.status = EXEC_ALREADY};
		lab_copy(st->reason, sizeof st->reason, revision);
		return;
	}
	if (f.err == PL_DAMAGED) {
		clear_line(s);
		(void)fprintf(stderr, "%s; it is run again\n", f.text);
		(void)fflush(stderr); /* the run's own process ends without */
	}
	exec_run(&a, st);
}

static int begin_job(struct session *s, const struct spec *spec, struct job *j, struct exec_state *st)
{
	*st = (struct exec_state){.status = EXEC_RUNNING};
	(void)fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		return lab_error(LAB_AGAIN, "cannot start another process: %s", strerror(errno));
	if (pid == 0) {
		/* if the parent is killed, this run ends as if it had been interrupted */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		run_here(s, spec, st);
		_exit(0);
	}
	*j = (struct job){.pid = pid, .spec = spec};
	return LAB_OK;
}

/* Wait until one of the jobs ends, showing progress; its slot, free again. */
static size_t end_job(struct session *s, struct job *job, struct exec_state *st, size_t jobs)
{
	bool told = false;
	uint64_t show_ns = pl_clock_ns() + 50000000;
	for (;;) {
		if (lab_interrupted() && !told) {
			for (size_t i = 0; i < jobs; i++)
				if (job[i].pid)
					(void)kill(job[i].pid, SIGTERM);
			told = true;
		}
		for (size_t i = 0; i < jobs; i++) {
			int status = 0;
			if (!job[i].pid || waitpid(job[i].pid, &status, WNOHANG) <= 0)
				continue;
			if (st[i].status == EXEC_RUNNING)
				(void)snprintf(st[i].reason, sizeof st[i].reason,
					"its process ended by %s %d in phase %s",
					WIFSIGNALED(status) ? "signal" : "exit",
					WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), st[i].phase);
			count(s, job[i].spec, &st[i]);
			job[i] = (struct job){0};
			return i;
		}
		if (pl_clock_ns() >= show_ns) {
			for (size_t i = 0; i < jobs; i++)
				if (job[i].pid) {
					say_progress(s, job[i].spec, &st[i]);
					break;
				}
			show_ns = pl_clock_ns() + 100000000;
		}
		(void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
}

/* Run all of list, at most jobs at a time. */
static int run_list(struct session *s, const struct spec *const *list, size_t n, size_t jobs)
{
	struct job *job = lab_calloc(jobs, sizeof *job);
	size_t bytes = jobs * sizeof(struct exec_state), next = 0, running = 0, free_slot;
	struct exec_state *st = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int code = st == MAP_FAILED ? lab_error(LAB_AGAIN, "out of memory") : LAB_OK;
	while (!code && (running || (next < n && !lab_interrupted()))) {
		for (free_slot = 0; free_slot < jobs && job[free_slot].pid; free_slot++)
			;
		if (free_slot < jobs && next < n && !lab_interrupted()) {
			code = begin_job(s, list[next++], &job[free_slot], &st[free_slot]);
			running += !code;
			continue;
		}
		(void)end_job(s, job, st, jobs);
		running--;
	}
	while (running--)
		(void)end_job(s, job, st, jobs);
	if (st != MAP_FAILED)
		(void)munmap(st, bytes);
	free(job);
	return code;
}

/* ---- the selection */

struct selection {
	const struct spec **run;
	size_t n;
};

static void select_add(struct selection *l, const struct spec *s)
{
	l->run = lab_realloc(l->run, (l->n + 1) * sizeof *l->run);
	l->run[l->n++] = s;
}

static int parse_count(const char *what, const char *text, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end || end == text || errno || *text == '-'
		       ? lab_error(LAB_USAGE, "run: %s wants a number, not '%s'", what, text)
		       : LAB_OK;
}

static int choose_runs(
	const struct experiment *e, const char *index, const char *shard, bool simulated, struct selection *out)
{
	uint64_t first = 0, step = 1;
	if (index && shard)
		return lab_error(LAB_USAGE, "run: --index and --shard exclude each other");
	if (index) {
		if (parse_count("--index", index, &first))
			return LAB_USAGE;
		if (!e->runs)
			return lab_error(LAB_USAGE, "run: there is no run %" PRIu64 "; %s has none that is legal",
				first, e->name);
		if (first >= e->runs)
			return lab_error(LAB_USAGE, "run: there is no run %" PRIu64 "; %s has 0..%zu", first, e->name,
				e->runs - 1);
		step = UINT64_MAX / 2;
	}
	if (shard) {
		char *text = lab_strdup(shard), *slash = strchr(text, '/');
		int code = LAB_OK;
		if (slash)
			*slash = 0;
		if (!slash || parse_count("--shard", text, &first) || parse_count("--shard", slash + 1, &step) ||
			first >= step)
			code = lab_error(LAB_USAGE, "run: --shard wants I/N with 0 <= I < N, not '%s'", shard);
		free(text);
		if (code)
			return code;
	}
	for (uint64_t i = first; i < e->runs; i += step)
		if (!simulated || e->run[i].simulated)
			select_add(out, &e->run[i]);
	return LAB_OK;
}

/* ---- experiments */

/* Combinations that cannot be run have a result, too: the reason. They cost nothing and are written anew. */
static void write_refusals(struct session *s)
{
	for (size_t i = 0; i < s->e->refusals; i++) {
		struct exec_args a = {.spec = &s->e->refused[i], .experiment = s->e, .directory = s->directory};
		struct exec_state st;
		exec_run(&a, &st);
		s->refused += st.status == EXEC_SKIPPED;
	}
	if (s->e->refusals)
		(void)fprintf(stderr, "%zu combinations are illegal and left out, for example %s: %s\n", s->e->refusals,
			s->e->refused[0].label, s->e->refused[0].skip);
	if (s->e->left_out || s->e->unsampled)
		(void)fprintf(stderr, "of all combinations %zu are illegal and %zu not in the sample\n", s->e->left_out,
			s->e->unsampled);
}

static bool belongs(const struct experiment *e, const char *file)
{
	const char *id = strchr(file, '-');
	for (size_t i = 0; i < e->runs + e->refusals; i++) {
		const struct spec *s = i < e->runs ? &e->run[i] : &e->refused[i - e->runs];
		char *name = exec_name(s), *full = lab_printf("%s.jsonl", name);
		bool same = id && strcmp(full, file) == 0;
		free(name);
		free(full);
		if (same)
			return true;
	}
	return false;
}

/* Results of runs that the experiment no longer has would be drawn with the others: put them aside. */
static void put_aside(const struct experiment *e, const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *f;
	size_t n = 0;
	while (d && (f = readdir(d))) {
		size_t len = strlen(f->d_name);
		if (len < 6 || strcmp(f->d_name + len - 6, ".jsonl") != 0 || belongs(e, f->d_name))
			continue;
		char *from = lab_printf("%s/%s", directory, f->d_name), *to = lab_printf("%s.old", from);
		n += rename(from, to) == 0;
		free(from);
		free(to);
	}
	if (d)
		(void)closedir(d);
	if (n)
		(void)fprintf(
			stderr, "%zu results of runs that %s no longer has were renamed to *.jsonl.old\n", n, e->name);
}

static int summary(const struct session *s, const char *again)
{
	size_t ok = s->ended - s->already - s->failed - s->busy - s->interrupted - s->skipped;
	clear_line(s);
	(void)fprintf(stderr,
		"%s: %zu runs: %zu ok, %zu already finished, %zu failed, %zu skipped; %zu illegal; %.1f s; results in "
		"%s\n",
		s->e->name, s->total, ok, s->already, s->failed, s->skipped, s->refused,
		(double)(pl_clock_ns() - s->start_ns) / 1e9, s->directory);
	if (s->older)
		(void)fprintf(stderr,
			"%s: %zu of the finished runs are by another revision of the program (%s; this is %s); `run %s "
			"--anew` runs all again\n",
			s->e->name, s->older, s->older_revision, facts_revision(), s->e->name);
	if (lab_interrupted())
		return lab_error(LAB_AGAIN, "interrupted; finished runs are kept, %s does the rest", again);
	if (s->failed)
		return lab_error(
			LAB_FAILED, "%zu of %zu runs failed, the first: %s", s->failed, s->total, s->first_failure);
	if (s->busy)
		return lab_error(LAB_AGAIN, "%zu runs are being done by another process; try again later", s->busy);
	return (s->total || s->refused) && s->skipped == s->total ? LAB_SKIPPED : LAB_OK;
}

static int run_selection(struct session *s, const struct selection *l, size_t jobs)
{
	struct selection simulated = {0}, real = {0};
	int code = LAB_OK;
	s->total = l->n;
	for (size_t i = 0; i < l->n; i++)
		select_add(l->run[i]->simulated ? &simulated : &real, l->run[i]);
	if (l->n == 1) {
		struct exec_state st;
		run_here(s, l->run[0], &st);
		count(s, l->run[0], &st);
	} else {
		code = run_list(s, simulated.run, simulated.n, jobs);
		if (!code)
			code = run_list(s, real.run, real.n, 1);
	}
	free(simulated.run);
	free(real.run);
	return code;
}

struct run_args {
	const char *index, *shard, *jobs, *out, *keep, *profile;
	bool simulated, anew, verbose;
	struct arg_list set, files, properties, exp;
};

static struct session session_for(const struct run_args *a, const char *directory)
{
	return (struct session){.directory = directory,
		.keep = a->keep,
		.anew = a->anew,
		.verbose = a->verbose,
		.terminal = isatty(STDERR_FILENO) == 1,
		.start_ns = pl_clock_ns()};
}

static int run_experiment(const struct run_args *a)
{
	struct experiment e;
	struct pl_fault f = {0};
	struct selection chosen = {0};
	uint64_t jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (a->jobs && (parse_count("--jobs", a->jobs, &jobs) || jobs < 1 || jobs > 1024))
		return lab_error(LAB_USAGE, "run: --jobs wants a number from 1 to 1024");
	if (experiment_load(a->exp.item[0], &e, &f))
		return lab_error(LAB_USAGE, "%s", f.text);
	int code = choose_runs(&e, a->index, a->shard, a->simulated, &chosen);
	char *directory = lab_printf("%s/%s", a->out, e.name);
	if (!code && lab_mkdirs(directory, &f))
		code = lab_error(LAB_USAGE, "%s", f.text);
	if (!code) {
		struct session s = session_for(a, directory);
		s.e = &e;
		if (!a->index && !a->shard) {
			put_aside(&e, directory);
			write_refusals(&s);
		}
		code = run_selection(&s, &chosen, (size_t)jobs);
		if (!code)
			code = summary(&s, "the same command");
	}
	free(directory);
	free(chosen.run);
	experiment_free(&e);
	return code;
}

static int run_single(const struct run_args *a)
{
	struct pl_conf conf;
	struct spec spec = {0};
	struct pl_fault f = {0};
	char *directory = lab_printf("%s/single", a->out);
	lab_conf_init(&conf);
	int code = args_set(&conf, &a->set, &a->files, &a->properties);
	if (!code && a->profile && pl_conf_set(&conf, "profile", a->profile, &f))
		code = lab_error(LAB_USAGE, "%s", f.text);
	if (!code && (profile_apply_named(&conf, &f) || spec_settle(&conf, &f)))
		code = lab_error(LAB_USAGE, "%s", f.text);
	if (!code) {
		spec_init(&spec, &conf);
		if (spec.skip_err && (spec.device_run || spec.node_run))
			code = lab_error(spec.skip_err == PL_INVALID ? LAB_USAGE : LAB_SKIPPED, "%s", spec.skip);
		else if (spec.skip_err)
			code = lab_error(LAB_SKIPPED, "%s", spec.skip);
		else if ((spec.device_run || spec.node_run) && a->keep)
			code = lab_error(LAB_USAGE, "run: a run of a part alone leaves no store to keep");
		else if ((a->keep && keep_prepare(a->keep, &f)) || lab_mkdirs(directory, &f))
			code = lab_error(LAB_USAGE, "%s", f.text);
	}
	if (!code) {
		struct session s = session_for(a, directory);
		struct exec_args x = {.spec = &spec, .directory = directory, .keep = a->keep};
		struct exec_state st;
		char *name = exec_name(&spec);
		s.total = s.ended = 1;
		s.verbose = true;
		exec_run(&x, &st);
		if (st.status == EXEC_OK) {
			say_ended(&s, &spec, &st);
			printf("%s/%s.jsonl\n", directory, name);
		} else if (st.status == EXEC_INTERRUPTED) {
			code = lab_error(LAB_AGAIN, "interrupted; nothing is left of the run");
		} else {
			code = lab_error(lab_exit_code(st.err) ? lab_exit_code(st.err) : LAB_FAILED, "%s", st.reason);
		}
		free(name);
	}
	spec_free(&spec);
	pl_conf_free(&conf);
	free(directory);
	return code;
}

int cmd_run(int argc, char **argv)
{
	struct run_args a = {.out = "results/runs"};
	const struct arg options[] = {{.name = "--index", .text = &a.index}, {.name = "--shard", .text = &a.shard},
		{.name = "--jobs", .short_name = "-j", .text = &a.jobs}, {.name = "--out", .text = &a.out},
		{.name = "--keep", .text = &a.keep}, {.name = "--simulated", .flag = &a.simulated},
		{.name = "--anew", .flag = &a.anew}, {.name = "--verbose", .short_name = "-v", .flag = &a.verbose},
		{.name = "--set", .list = &a.set}, {.name = "-P", .list = &a.files},
		{.name = "-p", .list = &a.properties}, {.name = "--profile", .text = &a.profile}};
	int code = args_parse("run", options, PL_COUNT(options), argc, argv, &a.exp);
	bool single = a.set.n || a.files.n || a.properties.n || a.profile;
	lab_catch_signals();
	if (!code && single && a.exp.n)
		code = lab_error(LAB_USAGE, "run: an experiment (%s) and --set exclude each other", a.exp.item[0]);
	else if (!code && !single && a.exp.n != 1)
		code = lab_error(LAB_USAGE, "run wants one experiment, or --set KEY=VALUE ...");
	else if (!code && !single && a.keep)
		code = lab_error(LAB_USAGE, "run: --keep goes with a single run (--set)");
	if (!code)
		code = !*a.out  ? lab_error(LAB_USAGE, "run: --out wants the name of a directory")
		       : single ? run_single(&a)
				: run_experiment(&a);
	free(a.set.item);
	free(a.files.item);
	free(a.properties.item);
	free(a.exp.item);
	return code;
}
