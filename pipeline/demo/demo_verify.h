/*
 * The demo's judgement: what Redis says of each card against the generator's sums, and what the carrier did against what
 * each card should be. Reads Redis as any other reader would (FCALL_RO weir_card; closed cycles by docs/formats.md). Main
 * thread, after the generator and the engine have ended.
 */
#ifndef WEIR_PIPELINE_DEMO_VERIFY_H
#define WEIR_PIPELINE_DEMO_VERIFY_H

#include "config/base/error.h"
#include "pipeline/demo/carrier_simulator.h"
#include "pipeline/demo/demo_fleet.h"

struct weir_settings;

/* Cards whose state at the carrier is not what it should be. Any time. */
uint32_t weir_demo_carrier_differs(struct weir_carrier_sim *carrier, const struct weir_demo_fleet *fleet, int64_t now_us);

/*
 * Cards and pools for which anything differs: counters of this and the closed cycles, reasons, confirmed state, the
 * carrier's state; a pool's members, total, and its use against the generator's own sum. Tells the first few on stderr.
 * RETRY with err when Redis cannot be read.
 */
enum weir_class weir_demo_verify(const struct weir_settings *settings, struct weir_carrier_sim *carrier,
    const struct weir_demo_fleet *fleet, int64_t now_us, uint32_t *mismatches_out, struct weir_error *err);

#endif
