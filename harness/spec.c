/* spec.c - canonical form and identity of a run.
 *
 * Invariants:
 *  1. Two confs that mean the same run by the same keys give the same text and run_id, however they were spelled and
 *     in whatever order they were set.
 *  2. The text, given back word by word, gives the same run_id ("-" stands for an axis that does not apply).
 *  3. Nothing about the machine enters it: scratch directories are left out, and of a file of keys its digest is in.
 * Leaves out: a key set to its default stays a word of the text, for a default may change later. */
#include "harness/spec.h"

#include "harness/device_run.h"
#include "harness/node_run.h"
#include "harness/options.h"
#include "harness/util.h"
#include "results/metrics.h"
#include "workloads/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void spec_word_add(struct spec_word **list, size_t *n, const char *key, const char *value)
{
	*list = lab_realloc(*list, (*n + 1) * sizeof **list);
	(*list)[(*n)++] = (struct spec_word){lab_strdup(key), lab_strdup(value)};
}

void spec_words_free(struct spec_word *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].key);
		free(list[i].value);
	}
	free(list);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct spec_word *)a)->key, ((const struct spec_word *)b)->key);
}

/* True if prefix belongs to variants and none of them is chosen. */
static bool is_foreign(const struct spec *s, const char *prefix)
{
	bool is_variant = false;
	if (!*prefix)
		return false;
	if (strcmp(prefix, "device") == 0)
		return !s->device_run;
	if (strcmp(prefix, "node") == 0)
		return !s->node_run;
	for (int a = 0; a < REG_AXES; a++) {
		const struct reg_choice *r;
		if (strcmp(s->axis[a], prefix) == 0)
			return false;
		for (size_t i = 0; (r = reg_choice((enum reg_axis)a, i)); i++)
			is_variant |= strcmp(r->name, prefix) == 0;
	}
	return is_variant;
}

static bool is_among(const char *key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], key) == 0)
			return true;
	return false;
}

/* Keys without a prefix that a run of a part alone knows, and those that are left out of an engine's. */
static bool concerns(const struct spec *s, const char *key, const char *prefix, const char *value)
{
	static const char *const of_devices[] = {"run", "seed", "profile", "device_bytes", "block_bytes"};
	static const char *const of_nodes[] = {"run", "seed", "keys", "records", "page_bytes"};
	if (strcmp(key, "profile") == 0 && !*value)
		return false;
	if (strcmp(key, "keys.digest") == 0 && strcmp(pl_conf_str(s->conf, "keys"), "file") != 0)
		return false;
	if (s->node_run)
		return is_among(key, of_nodes, PL_COUNT(of_nodes)) || strcmp(prefix, "node") == 0 ||
		       strcmp(prefix, s->choice.node->name) == 0;
	if (!s->device_run)
		return strcmp(key, "run") != 0;
	return is_among(key, of_devices, PL_COUNT(of_devices)) || strcmp(prefix, "device") == 0 ||
	       strcmp(prefix, s->choice.device->name) == 0;
}

static int axis_of(const char *key)
{
	for (int a = 0; a < REG_AXES; a++)
		if (strcmp(reg_axis_name[a], key) == 0)
			return a;
	return -1;
}

static void make_words(struct spec *s)
{
	bool workload = false, seed = false;
	for (int a = 0; a < REG_AXES; a++)
		spec_word_add(&s->word, &s->words, reg_axis_name[a], s->axis[a]);
	for (size_t i = 0; i < s->conf->nitems; i++) {
		const struct pl_conf_item *it = &s->conf->items[i];
		char key[256];
		lab_option_name(key, sizeof key, it->set, it->opt);
		if (axis_of(key) >= 0 || lab_is_location(key) || is_foreign(s, it->set->prefix) ||
			!concerns(s, key, it->set->prefix, it->value))
			continue;
		workload |= strcmp(key, "workload") == 0;
		seed |= strcmp(key, "seed") == 0;
		spec_word_add(&s->word, &s->words, key, it->value);
	}
	if (!workload && !s->device_run && !s->node_run && lab_find_option(s->conf, "workload", NULL))
		spec_word_add(&s->word, &s->words, "workload", pl_conf_str(s->conf, "workload"));
	if (!seed)
		spec_word_add(&s->word, &s->words, "seed", pl_conf_str(s->conf, "seed"));
	qsort(s->word, s->words, sizeof *s->word, by_key);
}

static void make_id(struct spec *s)
{
	char *text = spec_text(s, "\n"), *all;
	all = lab_printf("%s\nschema=%d\n", text, RES_SCHEMA_VERSION);
	(void)snprintf(s->run_id, sizeof s->run_id, "%016llx", (unsigned long long)XXH64(all, strlen(all), 0));
	free(all);
	free(text);
}

static const char *unavailable(const struct spec *s)
{
	for (int a = 0; a < REG_AXES; a++) {
		const struct reg_choice *r;
		for (size_t i = 0; (r = reg_choice((enum reg_axis)a, i)); i++)
			if (r->unavailable && strcmp(r->name, s->axis[a]) == 0)
				return r->unavailable;
	}
	return NULL;
}

int spec_settle(struct pl_conf *c, struct pl_fault *f)
{
	return strcmp(pl_conf_str(c, "run"), "engine") == 0 ? wl_identify(c, f) : PL_OK;
}

void spec_init(struct spec *s, const struct pl_conf *conf)
{
	struct pl_fault f = {0};
	memset(s, 0, sizeof *s);
	s->conf = lab_calloc(1, sizeof *s->conf);
	pl_conf_copy(s->conf, conf);
	s->device_run = strcmp(pl_conf_str(s->conf, "run"), "device") == 0;
	s->node_run = strcmp(pl_conf_str(s->conf, "run"), "node") == 0;
	bool alone = s->device_run || s->node_run;
	s->skip_err = reg_choose(s->conf, &s->choice, &f);
	if (s->device_run) /* whether an engine could be run on it is no concern of a device run */
		s->skip_err = device_run_check(s->conf, &f);
	if (s->node_run)
		s->skip_err = node_run_check(s->conf, &f);
	if (s->skip_err)
		lab_copy(s->skip, sizeof s->skip, f.text);
	for (int a = 0; a < REG_AXES; a++)
		s->axis[a] = alone && a != (s->device_run ? REG_DEVICE : REG_NODE)
				     ? "-"
				     : reg_chosen(&s->choice, (enum reg_axis)a);
	if (s->skip_err && !alone)
		s->skip_err = unavailable(s) && !kv_refusal(&s->choice) ? PL_UNSUPPORTED : PL_INVALID;
	s->seed = pl_conf_u64(s->conf, "seed");
	s->simulated = s->node_run || (s->choice.device && s->choice.device->peek != NULL);
	s->experiment = lab_strdup("single");
	s->group = lab_strdup("");
	s->label = lab_strdup("single");
	make_words(s);
	make_id(s);
}

void spec_free(struct spec *s)
{
	spec_words_free(s->word, s->words);
	spec_words_free(s->sweep, s->sweeps);
	spec_words_free(s->expect, s->expects);
	free(s->experiment);
	free(s->group);
	free(s->label);
	if (s->conf)
		pl_conf_free(s->conf);
	free(s->conf);
	memset(s, 0, sizeof *s);
}

/* Shell quoting, so that a line of `expand` can be pasted behind `run --set`. */
static char *quoted(const char *value)
{
	if (*value && !strpbrk(value, " \t\"'\\$&;|<>*?()"))
		return lab_strdup(value);
	struct lab_text t = {0};
	lab_text_add(&t, "'");
	for (const char *p = value; *p; p++)
		if (*p == '\'')
			lab_text_add(&t, "'\\''");
		else
			lab_text_addf(&t, "%c", *p);
	lab_text_add(&t, "'");
	return t.s;
}

char *spec_text(const struct spec *s, const char *sep)
{
	struct lab_text t = {0};
	for (size_t i = 0; i < s->words; i++) {
		char *v = quoted(s->word[i].value);
		lab_text_addf(&t, "%s%s=%s", i ? sep : "", s->word[i].key, v);
		free(v);
	}
	return t.s;
}

const char *spec_value(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->words; i++)
		if (strcmp(s->word[i].key, key) == 0)
			return s->word[i].value;
	return NULL;
}
