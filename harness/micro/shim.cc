// shim.cc - hands the table of micro.h to Google Benchmark, the only C++ here.
//
// Google Benchmark calls a benchmark several times to find how often it must be repeated. What `open` prepared (a device
// filled with gigabytes) is kept between these calls and given up when the next benchmark begins.
extern "C" {
#include "harness/facts.h"
#include "harness/micro/micro.h"
}

#include <benchmark/benchmark.h>

#include <cstdio>

static const struct micro *opened;
static void *state;
static const char *why;

static void close_opened()
{
	if (state)
		opened->close(state);
	state = nullptr;
	opened = nullptr;
}

static void run(benchmark::State &bench, const struct micro *m)
{
	if (opened != m) {
		close_opened();
		why = "it cannot be prepared";
		state = m->open(m, &why);
		opened = m;
	}
	if (!state) {
		bench.SkipWithError(why);
		return;
	}
	uint64_t items = 0;
	for (auto _ : bench)
		items += m->run(state);
	bench.SetItemsProcessed(static_cast<int64_t>(items));
	if (m->figure)
		bench.counters[m->figure_name] = m->figure(state);
}

int main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::AddCustomContext("revision", facts_revision());
	for (const struct micro *table : {device_micros, node_micros, space_micros})
		for (const struct micro *m = table; m->name; m++)
			benchmark::RegisterBenchmark(m->name, [m](benchmark::State &bench) {
				run(bench, m);
			})->Unit(benchmark::kMillisecond);
	benchmark::RunSpecifiedBenchmarks();
	close_opened();
	return 0;
}
