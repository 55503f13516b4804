/* closed_forms.h - what theory says a log-structured device writes, to hold simulations against.
 *
 * Words: u, utilisation = live pages / all pages of the medium, spare included; v = share of a victim's pages that is
 * still valid; write amplification = pages written to the medium / pages written by the host = 1/(1-v). Large device,
 * every page overwritten independently and without end, steady state.
 *
 *   closed_fifo          v = exp(-(1-v)/u)             Menon (1995), Robinson (1996), Xiang & Kurkoski (2011),
 *                                                      Desnoyers (SYSTOR 2012)
 *   closed_greedy        see closed_forms.c            the limit d -> infinity of Van Houdt (SIGMETRICS 2013)
 *   closed_choices       see closed_forms.c            Van Houdt (SIGMETRICS 2013): d blocks drawn, the best one taken
 *   closed_fifo_classes  WA = sum r/(1-exp(-r/(f u WA)))  Desnoyers (2012): classes of page share one log
 *   closed_optimal       min sum r WA_fifo(u_i), sum f/u_i = 1/u    each class in a log of its own, spare pages split
 *                                                      best; Desnoyers (2012), Stoica & Ailamaki (PVLDB 2013)
 *
 * All return 0 where there is no steady state to speak of: u not in (0, 1), an empty block, shares that are no shares.
 * Doubles with + - * / and the logarithm and power of workloads/pow.h, so that the same bits come out on every machine;
 * relative error below 1e-9 for u <= 0.99. */
#ifndef PL_HARNESS_CLOSED_FORMS_H
#define PL_HARNESS_CLOSED_FORMS_H

#include <stddef.h>
#include <stdint.h>

/* Victims in the order in which they were filled, uniform overwrites: write amplification. */
double closed_fifo(double u);
/* The utilisation at which closed_fifo gives this write amplification, 1 and below: 0. */
double closed_fifo_utilisation(double write_amplification);

/* The block with the fewest valid pages, uniform overwrites, blocks of block_pages pages. Falls below closed_fifo,
 * which it approaches as blocks grow; 1 for blocks of one page. Cost: block_pages divisions. */
double closed_greedy(double u, uint64_t block_pages);

/* The best of `choices` blocks drawn at random (1: a random block). Cost: a few hundred times block_pages. */
double closed_choices(double u, uint64_t block_pages, unsigned choices);

/* A class of pages: its share of the live pages and its share of the overwrites. Over all classes both sum to 1
 * (they are normalised if they do not); a class with pages and no writes is allowed, one without pages is not. */
struct closed_class {
	double data, writes;
};

/* FIFO, classes mixed in one log. */
double closed_fifo_classes(double u, const struct closed_class *c, size_t n);

/* FIFO, a log for each class, spare split so that the least is written. utilisation (n, may be NULL) gets the best
 * utilisation of each class. No separation by these classes can do better. */
double closed_optimal(double u, const struct closed_class *c, size_t n, double *utilisation);

/* `writes` of the overwrites go to `data` of the pages: 0.9, 0.1 for 90/10. */
void closed_hot_cold(double writes, double data, struct closed_class out[2]);

/* Zipf's law over `items` pages, exponent theta >= 0, in groups of neighbouring ranks. Returns the groups, at most
 * CLOSED_GROUPS_MAX. */
#define CLOSED_GROUPS_MAX 1024
/* The first 32 ranks one by one, then groups that each end 3 % later (25 % beyond 2^32): finer changes no digit that is
 * shown. */
size_t closed_zipf(uint64_t items, double theta, struct closed_class out[CLOSED_GROUPS_MAX]);
/* `groups` of as nearly equal shares of the writes as whole ranks allow: what a policy with so many logs could know. */
size_t closed_zipf_equal(uint64_t items, double theta, size_t groups, struct closed_class out[CLOSED_GROUPS_MAX]);

/* Of `pages` pages, how many are hit by `draws` uniform independent draws: pages (1 - (1 - 1/pages)^draws), what a checkpoint
 * has to write after so many updates; 0 if there is no page. draws < 2^31. */
double closed_distinct(double pages, double draws);

#endif
