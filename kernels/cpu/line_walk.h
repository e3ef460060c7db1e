// Walks chunks of lines of A (or of its transpose) block by block and hands rows of probabilities to a
// consumer: what chosen rows and columns, weighted sums and relevance have in common.
#pragma once

#include "cpu/heads.h"

namespace fovea::kernels::cpu {

/// Packed operands of a flight for one orientation.
struct LineOperands {
    bool transposed;
    LineSet lines;       ///< chosen queries, or keys when transposed
    KeyPanels keys;      ///< every key; none where they are not needed
    Shifts shifts;       ///< of the lines, or of every query when transposed
    float* queryPanels;  ///< [heads][queryWords] when transposed
    int64_t queryWords, columns;

    void layout(Arena& arena, const Context& context, int64_t kvHeads);
    /// Packs and finds the shifts of a flight.
    void prepare(const Context& context, const Flight& flight, const ScoreScratch* scratch) const;
    Matrix matrix(const Context& context, const HeadOf& head) const;
};

/// Calls consume(line, cells, range, block) for every line of the chunk and every block of [firstBlock,
/// endBlock); the range is empty where the line's tile sees nothing. `enter(block)` comes before the lines of
/// a block, `prepare(tile, range, block)` before those of a tile that sees something.
template <class Enter, class Prepare, class Consume>
void walkChunk(const Context& context, const LineOperands& operands, const ScoreScratch& scratch,
               const HeadOf& head, int64_t chunk, int64_t firstBlock, int64_t endBlock, const Enter& enter,
               const Prepare& prepare, const Consume& consume) {
    const Level& level = context.level;
    Scorer scorer(context, scratch, operands.matrix(context, head));
    operands.lines.load(scorer, chunk);
    const float* high = operands.shifts.high + head.slot * operands.shifts.stride;
    const float* low = operands.shifts.low + head.slot * operands.shifts.stride;
    for (int64_t block = firstBlock; block < endBlock && !context.workers.cancelled(); ++block) {
        const bool reached = scorer.reaches(block);
        if (reached) scorer.setBlock(block);
        enter(block);
        for (int tile = 0; tile < scorer.tiles(); ++tile) {
            const Range range = reached ? scorer.score(tile) : Range{0, 0};
            if (!range.empty()) prepare(tile, range, block);
            for (int r = 0; r < scorer.rowsOf(tile); ++r) {
                const int line = tile * level.tileRows + r;
                float* cells = scratch.tile + r * kBlock;
                if (!range.empty() && operands.transposed) {
                    level.columnProbs(cells, range.begin, range.end, context.factor, high + block * kBlock,
                                      low + block * kBlock);
                } else if (!range.empty()) {
                    const int64_t at = chunk * kChunk + line;
                    level.probs(cells, range.begin, range.end, context.factor, {high[at], low[at]});
                }
                consume(line, cells, range, block);
            }
        }
    }
}

}  // namespace fovea::kernels::cpu
