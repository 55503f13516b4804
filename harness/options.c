/* options.c - the harness's own options and the conf that knows every key.
 *
 * Not modelled: dependencies between options. Whether a combination makes sense is said by engine/compat.c (axes) and
 * by kv_format (sums). */
#include "harness/options.h"

#include "engine/kv.h"
#include "harness/device_run.h"
#include "harness/node_run.h"
#include "variants/registry.h"
#include "workloads/workload.h"

#include <stdio.h>
#include <string.h>

static const char *const run_names[] = {"engine", "device", "node", NULL};

const struct pl_opt lab_opts[] = {
	{"run", PL_OPT_ENUM, "engine", 0, 0, run_names,
		"what runs: the whole engine, a simulated device alone (device.*), or layouts of pages alone (node.*)"},
	{"profile", PL_OPT_STR, "", 0, 0, NULL,
		"device profile: a name of `pagelab list --profiles` or a path that ends in .ini; sets what is not "
		"set"},
	{"clients", PL_OPT_U64, "16", 1, 65536, NULL, "logical clients, each with at most one operation in flight"},
	{"seed", PL_OPT_U64, "1", 0, 0, NULL, "seed of workload, device and store; the unit of replication"},
	{"target_ops_per_second", PL_OPT_U64, "0", 0, 1000000000, NULL,
		"offered load of warm and run, all clients together; 0 = closed loop"},
	{"warm_operations", PL_OPT_U64, "0", 0, 0, NULL, "operations before the run phase that are not part of it"},
	{"warm", PL_OPT_REAL, "0", 0, 100000, NULL, "the same as a fraction of operations; the larger of both counts"},
	{"phases", PL_OPT_STR, "load+settle+warm+run+verify", 0, 0, NULL,
		"phases to run, joined by +: load settle warm run verify"},
	{"load_wait", PL_OPT_BOOL, "0", 0, 0, NULL,
		"1: inserts of the load phase wait for durability as the policy says"},
	{"verify", PL_OPT_BOOL, "1", 0, 0, NULL, "compare every record with what was last written to it"},
	{"reopen", PL_OPT_BOOL, "1", 0, 0, NULL, "close, open and verify again after the run"},
	{"check", PL_OPT_BOOL, "1", 0, 0, NULL, "walk the store and check its invariants while verifying"},
	{"device_bytes", PL_OPT_BYTES, "0", 0, 0, NULL,
		"size of the device; 0 = as fill_permille says, or, if that is not set either, plenty"},
	{"fill_permille", PL_OPT_U64, "400", 1, 1000, NULL,
		"bytes of all keys and values in a thousand bytes of device, when device_bytes is 0"},
	{"series_points", PL_OPT_U64, "60", 0, 10000, NULL, "intervals of the run phase in the series rows"},
	{"path", PL_OPT_STR, "", 0, 0, NULL,
		"regular file of a real device; empty = a scratch file, deleted afterwards"},
	{"scratch", PL_OPT_STR, "", 0, 0, NULL,
		"directory for scratch files; empty = $TMPDIR, else the --out directory"},
	{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

void lab_conf_init(struct pl_conf *c)
{
	pl_conf_init(c);
	pl_conf_declare(c, "", lab_opts);
	pl_conf_declare(c, "", kv_opts);
	pl_conf_declare(c, "device", device_run_opts);
	pl_conf_declare(c, "node", node_run_opts);
	reg_declare(c);
	wl_declare(c);
}

void lab_option_name(char *out, size_t cap, const struct pl_opt_set *s, const struct pl_opt *o)
{
	(void)snprintf(out, cap, "%s%s%s", s->prefix, *s->prefix ? "." : "", o->name);
}

void lab_options_in_force(const struct pl_conf *c, const char *prefix, json_t *into)
{
	char key[256];
	for (size_t i = 0; i < c->nsets; i++)
		for (const struct pl_opt *o = c->sets[i].opts; strcmp(c->sets[i].prefix, prefix) == 0 && o->name; o++) {
			lab_option_name(key, sizeof key, &c->sets[i], o);
			(void)json_object_set_new(into, key, json_string(pl_conf_str(c, key)));
		}
}

const struct pl_opt *lab_find_option(const struct pl_conf *c, const char *key, const char **prefix)
{
	char name[256];
	for (size_t i = 0; i < c->nsets; i++)
		for (const struct pl_opt *o = c->sets[i].opts; o->name; o++) {
			lab_option_name(name, sizeof name, &c->sets[i], o);
			if (strcmp(name, key) != 0)
				continue;
			if (prefix)
				*prefix = c->sets[i].prefix;
			return o;
		}
	return NULL;
}

uint64_t lab_u64_or(const struct pl_conf *c, const char *key, uint64_t otherwise)
{
	return lab_find_option(c, key, NULL) ? pl_conf_u64(c, key) : otherwise;
}

bool lab_is_location(const char *key)
{
	return strcmp(key, "scratch") == 0 || strcmp(key, "keys.path") == 0;
}
