#include "cpu/line_walk.h"

namespace fovea::kernels::cpu {

void LineOperands::layout(Arena& arena, const Context& context, int64_t kvHeads) {
    const fv_problem& p = context.problem;
    const int64_t heads = kvHeads * context.group;
    columns = transposed ? p.tq : p.tk;
    keys.layout(arena, context, kvHeads, 0, transposed && p.lse ? 0 : p.tk);
    shifts.layout(arena, heads, transposed ? p.tq : lines.count);
    queryWords = context.panelWords(p.tq, context.depth);
    queryPanels = arena.take<float>(transposed ? heads * queryWords : 0);
}

void LineOperands::prepare(const Context& context, const Flight& flight, const ScoreScratch* scratch) const {
    if (keys.count > 0) keys.pack(context, flight);
    shifts.fill(context, flight, transposed ? LineSet{nullptr, 0, context.problem.tq} : lines, keys, scratch);
    if (!transposed) return;
    const int64_t packs = packUnits(context, columns);
    context.workers.each(flight.count * context.group * packs, [&](int, int64_t unit) {
        const HeadOf head = headOf(context, flight, unit / packs);
        packUnit(context, context.query(head.batch, head.head), context.pairs, 0, columns, unit % packs,
                 queryPanels + head.slot * queryWords);
    });
}

Matrix LineOperands::matrix(const Context& context, const HeadOf& head) const {
    if (!transposed) return keys.matrix(context, head);
    return {head.batch,
            head.head,
            true,
            context.key(head.batch, head.kvHead),
            queryPanels + head.slot * queryWords,
            0,
            columns};
}

}  // namespace fovea::kernels::cpu
