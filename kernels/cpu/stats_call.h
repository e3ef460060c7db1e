// One statistics call: what it keeps in the workspace, and its unit of work.
#pragma once

#include "cpu/columns.h"
#include "cpu/key_groups.h"
#include "cpu/pooling.h"
#include "cpu/top_list.h"

namespace fovea::kernels::cpu {

/// Scratch of one slot.
struct StatsScratch {
    ScoreScratch score;
    TopScratch top;
    KeyRuns* runs;
    double* mass;  ///< [kChunk][kMaxGroups + 1]
    float* fold;   ///< 9 arrays of kBlock
    float* lanes;  ///< [kChunk][3 * width], what probLanes collects

    void layout(Arena& arena, const Context& context, const fv_stats_request& request);
};

struct StatsCall {
    StatsCall(const Context& context, const fv_stats_request& request, Arena& arena);

    const Context& context;
    const fv_stats_request& request;
    int64_t flightHeads;  ///< key-value heads of a flight
    LineSet queries, keys;
    KeyPanels panels;
    Shifts shifts;
    ColumnParts columns;
    PoolParts pool;
    float* queryPanels;  ///< [query heads of a flight][queryWords], for the top list of columns
    int64_t queryWords;
    StatsScratch* scratch;
    ScoreScratch* scoreScratch;

    /// Address of an output of one head, or null.
    template <class T>
    T* out(const fv_output& output, const HeadOf& head) const {
        return output.data
                   ? static_cast<T*>(output.data) + head.batch * output.stride_b + head.head * output.stride_h
                   : nullptr;
    }
};

/// All statistics of one chunk of queries of one head.
void statsUnit(const StatsCall& call, int slot, const HeadOf& head, int64_t chunk);
/// The top lists of one chunk of keys of one head.
void columnTopUnit(const StatsCall& call, int slot, const HeadOf& head, int64_t chunk);

}  // namespace fovea::kernels::cpu
