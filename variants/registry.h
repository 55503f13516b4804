/* registry.h - the experiment space: one constant table per axis. Adding a policy is one file and one line. */
#ifndef PL_VARIANTS_REGISTRY_H
#define PL_VARIANTS_REGISTRY_H

#include "engine/kv.h"

/* The axes in the order in which they are listed; "" in units of choices. */
enum reg_axis {
	REG_STRUCTURE,
	REG_NODE,
	REG_SPACE,
	REG_ADDRESSING,
	REG_PLACEMENT,
	REG_CLEANING,
	REG_DURABILITY,
	REG_GUARD,
	REG_DEVICE,
	REG_AXES
};

struct reg_choice { /* what all ops tables begin with, whatever their axis */
	const char *name, *summary;
	const char *unavailable; /* NULL or the reason */
	const struct pl_opt *opts;
};

extern const char *const reg_axis_name[REG_AXES]; /* also the option key */
extern const char *const reg_axis_question[REG_AXES]; /* one line: what the axis asks */

/* Choices of an axis; index beyond the last gives NULL. */
const struct reg_choice *reg_choice(enum reg_axis axis, size_t index);

/* Declare the axes (as options whose values are the choices) and every variant's options into c. */
void reg_declare(struct pl_conf *c);

/* The combination that c describes. Unset axes follow the others where the combination leaves only one sensible value:
 * addressing follows placement, guard follows placement and durability. PL_INVALID with the reason of kv_refusal, or
 * why a choice is unavailable. *out is complete even then if all names were known. */
int reg_choose(const struct pl_conf *c, struct kv_choice *out, struct pl_fault *f) PL_MUST_USE;
/* Name of the chosen one on an axis, "-" when the axis does not apply (cleaning without zones, guard out of place). */
const char *reg_chosen(const struct kv_choice *c, enum reg_axis axis);
/* Combination number i of the full product, in registry order; false past the end. Used by --matrix and the tests. */
bool reg_product(size_t i, struct kv_choice *out);

#endif
