/*
 * A partition's whole state and the pure functions over it: the core of both stages, cards and pools.
 *
 * (state, records, time) -> (state, effects). No I/O, no clock, no randomness, no thread: time is set by the owner before
 * each batch, and what is to be done outside lies in `effects` until the owner has taken it. The same code runs in the
 * lane, under the simulator and in the benchmarks. One lane owns a partition.
 *
 * Rooms, each calling only those before it:
 * - tables/: slots, hashes, dedupe keys, closed cycles, windows. state/: the struct, effects, names and numbers.
 * - alerts/: ALR. rollups/: ROL. pools/: POOL on the cards' side (pool local) and on the pool's own.
 * - enforcement/: SUS, CYC, CMD-5, SUS-5, commands' state. lifecycle/: LIFE.
 * - fold/: REC. apply/: reference data, requests, usage reports.
 * - step: background work and the end of a round. snapshot/: to bytes and back.
 *
 * This header is the face of all of them for the owner; files in here include what they need. Designs: docs/pools.md,
 * docs/lifecycle.md, docs/rollups.md.
 */
#ifndef WEIR_AGGREGATORS_PARTITION_H
#define WEIR_AGGREGATORS_PARTITION_H

#include "aggregators/apply/apply.h"
#include "aggregators/enforcement/command_state.h"
#include "aggregators/enforcement/guard.h"
#include "aggregators/enforcement/unconfirmed.h"
#include "aggregators/fold/fold.h"
#include "aggregators/fold/park.h"
#include "aggregators/rollups/feeds.h"
#include "aggregators/rollups/retention.h"
#include "aggregators/snapshot/decode.h"
#include "aggregators/snapshot/encode.h"
#include "aggregators/state/card_table.h"
#include "aggregators/state/pool_table.h"
#include "aggregators/state/state.h"
#include "aggregators/step.h"

#endif
