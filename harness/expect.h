/* expect.h - what an experiment claims, judged against what was measured.
 *
 * The text of a key `expect.NAME` is one of two things. A judged claim compares numbers of a run:
 *
 *     expect.fifo   = write_amplification within 0.5 % of formula_fifo where sim_ssd.collect=fifo, device.utilisation<=0.9
 *     expect.steady = steady = 1
 *     expect.zoned  = write_bandwidth_mib_per_s >= 1.9 * write_bandwidth_mib_per_s[group=conventional]
 *
 *     claim    value `within` NUMBER `% of` value | value RELATION value      and then, if wanted, `where` filters
 *     value    numbers and metrics with + - * / ( ), and the functions of closed_forms.h
 *     metric   a name of the run's derived row, its device row, that row's describe object, its phase row `run`, or of
 *              its specification, in this order; NAME[filters] is the metric of another run of the experiment: the one
 *              for which the filters hold and which is like this one in all other swept keys
 *     filters  KEY RELATION VALUE, ...   KEY: an option, an axis, `group`; VALUE|VALUE: one of these
 *     RELATION =  !=  <=  >=  <  >      numbers as numbers, all else as text
 *
 * Everything else is free text: a stated claim, shown and never judged. Text that begins with the name of a metric (any word
 * with _ or .) is no free text, so that a slip of the pen does not silence a claim.
 *
 * A claim is judged for every run that carries it and for which its filters hold. It fails where a metric is missing, where
 * the run itself failed, and where there is no run to judge at all. */
#ifndef PL_HARNESS_EXPECT_H
#define PL_HARNESS_EXPECT_H

#include "engine/base/conf.h"
#include "results/reader.h"

#include <stdio.h>

/* The grammar of one claim, and the keys and values of its filters. *judged (may be NULL) tells which kind it is.
 * PL_INVALID with a sentence. */
int claim_check(const char *text, const struct pl_conf *known, bool *judged, struct pl_fault *f) PL_MUST_USE;

struct claim_tally {
	size_t judged, failed; /* claims */
	size_t readings, failed_readings; /* claims in runs */
	size_t stated; /* free texts */
};
/* Judge all claims of the runs of one experiment and print each with measured value, reference, deviation and verdict.
 * readings (an array, or NULL) gets {name, text, label, measured, reference, holds} of each, for a claim that nothing was
 * found for {name, text, label, missing, holds}. */
void claims_report(const struct res_runs *runs, FILE *out, struct claim_tally *tally, json_t *readings);

#endif
