/* spec.h - one run: what it is, in canonical text.
 *
 * Canonical words are `key=value`, sorted by key: every axis with the choice that holds, the workload, the seed, and
 * every other key that was set, each in the canonical spelling of its type. Keys of a variant that this run does not use
 * are left out, so that a sweep over one variant's options does not multiply the others.
 *
 * A device run (`run = device`) has no axis but the device: the others are "-", and of its keys only seed, profile,
 * device_bytes, block_bytes, those of device runs (device.*) and those of its device are part of it. To an engine's run
 * device.* is foreign, and `run = engine`, being the default, is left out.
 *
 * A run of layouts alone (`run = node`) has no axis but the node; of its keys only seed, keys, records, page_bytes, those
 * of such runs (node.*) and those of its layout are part of it.
 *
 * A profile is applied before a spec is made (profile_apply_named): its keys are then words like any other. And so is a
 * file of keys read (spec_settle): keys.digest is then a word, where the file lies (keys.path) never is one. */
#ifndef PL_HARNESS_SPEC_H
#define PL_HARNESS_SPEC_H

#include "engine/base/conf.h"
#include "variants/registry.h"

struct spec_word {
	char *key, *value;
};

struct spec { /* owns its texts and its conf */
	struct pl_conf *conf; /* allocated: a conf must not move */
	bool device_run; /* of the device alone: of choice only the device is meant */
	bool node_run; /* of layouts of pages alone: of choice only the node is meant */
	struct kv_choice choice;
	const char *axis[REG_AXES]; /* names of the choices that hold, "-" where an axis does not apply */
	struct spec_word *word; /* canonical, sorted by key */
	size_t words;
	uint64_t seed;
	char run_id[17]; /* 16 hex digits of xxh64 of the canonical text and the schema version */
	char skip[400]; /* why it cannot run; empty if it can */
	int skip_err; /* PL_OK, PL_INVALID (illegal), PL_UNSUPPORTED (legal, but a choice is unavailable) */
	bool simulated; /* guessed from the device's name until the device is open */

	/* where it comes from; empty for a single run */
	char *experiment, *group, *label; /* label: group and swept keys; unique in an experiment, stable, readable */
	uint64_t index; /* among the legal runs of the experiment */
	struct spec_word *sweep; /* the swept keys, in order of appearance, as canonical values */
	size_t sweeps;
	struct spec_word *expect; /* expect.* texts, verbatim */
	size_t expects;
};

/* Settle in c what a spec needs from outside, before it is made: the digest of a file of keys. PL_INVALID names file and
 * line, or what is wrong with the workload. */
int spec_settle(struct pl_conf *c, struct pl_fault *f) PL_MUST_USE;
/* Make the canonical form of conf (copied). Never fails for a conf whose keys were accepted by pl_conf_set; an illegal
 * combination is told in out->skip. */
void spec_init(struct spec *out, const struct pl_conf *conf);
void spec_free(struct spec *s);
/* The canonical text: words joined by sep, quoted where a value holds spaces; caller frees. */
char *spec_text(const struct spec *s, const char *sep);
/* Add a word to a list (texts are copied). */
void spec_word_add(struct spec_word **list, size_t *n, const char *key, const char *value);
void spec_words_free(struct spec_word *list, size_t n);
/* The value of a canonical word, or NULL. */
const char *spec_value(const struct spec *s, const char *key);

#endif
