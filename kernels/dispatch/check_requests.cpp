#include "dispatch/checks.h"

namespace fovea::kernels {

namespace {

bool within(int64_t value, int64_t low, int64_t high) {
    return value >= low && value <= high;
}

bool somethingWanted(const WrittenList& written, Report& report) {
    return report.require(!written.empty(), FV_NULL_POINTER, "request", "no output is wanted");
}

bool knownHeads(const fv_head_reduce& heads, Report& report) {
    return report.require(within(numberOf(heads), FV_HEADS_NONE, FV_HEADS_MIN), FV_BAD_VALUE, "heads",
                          "unknown reduction");
}

template <class Request>
bool knownSize(const Request& request, Report& report) {
    return report.require(request.struct_size == sizeof(Request), FV_BAD_SIZE, "request",
                          "struct_size is not that of this build");
}

// Groups of keys: on the CPU every entry is read once.
struct Groups {
    const int32_t* keyGroup;
    int64_t groups;
};

bool checkGroups(const fv_problem& p, Groups g, const fv_exec& exec, Stage stage, Report& report) {
    if (!report.require(g.keyGroup, FV_NULL_POINTER, "key_group", "the pointer is null")) return false;
    if (!report.require(within(g.groups, 1, 32), FV_BAD_SIZE, "groups", "not 1 to 32")) return false;
    if (stage == Stage::Workspace) return true;
    if (!report.require(aligned(g.keyGroup, 4), FV_MISALIGNED, "key_group", "the pointer is not aligned"))
        return false;
    if (exec.kind == FV_CUDA) return true;
    bool known = true;
    for (int64_t j = 0; j < p.tk; ++j) known = known && within(g.keyGroup[j], -1, g.groups - 1);
    return report.require(known, FV_BAD_VALUE, "key_group", "an entry is neither -1 nor a group");
}

bool checkInput(const float* x, int64_t strideB, int64_t strideH, Stage stage, Report& report) {
    return report.require(within(strideB, 0, kMaxStride) && within(strideH, 0, kMaxStride), FV_BAD_SIZE, "x",
                          "a stride is negative or too large") &&
           (stage == Stage::Workspace ||
            (report.require(x, FV_NULL_POINTER, "x", "the pointer is null") &&
             report.require(aligned(x, 4), FV_MISALIGNED, "x", "the pointer is not aligned")));
}

}  // namespace

bool checkRequest(const fv_problem& p, const fv_stats_request& r, const fv_exec& exec, Stage stage,
                  WrittenList& written, Report& report) {
    if (!knownSize(r, report)) return false;
    if (r.topk_value.data || r.topk_index.data) {
        if (!report.require(within(r.topk, 1, 64), FV_BAD_SIZE, "topk", "not 1 to 64")) return false;
    }
    if (r.col_topk_value.data || r.col_topk_index.data) {
        if (!report.require(within(r.col_topk, 1, 64), FV_BAD_SIZE, "col_topk", "not 1 to 64")) return false;
    }
    if (r.pooled_mean.data || r.pooled_max.data) {
        if (!report.require(within(r.block, 8, 512), FV_BAD_SIZE, "block", "not 8 to 512")) return false;
    }
    if (r.group_mass.data && !checkGroups(p, {r.key_group, r.groups}, exec, stage, report)) return false;
    // Counts that go with nothing wanted may hold anything.
    const int64_t b = p.batch, h = p.q_heads, block = r.pooled_mean.data || r.pooled_max.data ? r.block : 1;
    const int64_t cells = ((p.tq + block - 1) / block) * ((p.tk + block - 1) / block);
    const int64_t top = r.topk_value.data || r.topk_index.data ? r.topk : 0;
    const int64_t columnTop = r.col_topk_value.data || r.col_topk_index.data ? r.col_topk : 0;
    const int64_t groups = r.group_mass.data ? r.groups : 0;
    written.add("lse", r.lse, b, h, p.tq);
    written.add("col_sum", r.col_sum, b, h, p.tk);
    written.add("col_max", r.col_max, b, h, p.tk);
    written.add("col_argmax", r.col_argmax, b, h, p.tk);
    written.add("row_max", r.row_max, b, h, p.tq);
    written.add("row_entropy", r.row_entropy, b, h, p.tq);
    written.add("row_sum", r.row_sum, b, h, p.tq);
    written.add("row_argmax", r.row_argmax, b, h, p.tq);
    written.add("topk_value", r.topk_value, b, h, p.tq * top);
    written.add("topk_index", r.topk_index, b, h, p.tq * top);
    written.add("col_topk_value", r.col_topk_value, b, h, p.tk * columnTop);
    written.add("col_topk_index", r.col_topk_index, b, h, p.tk * columnTop);
    written.add("pooled_mean", r.pooled_mean, b, h, cells);
    written.add("pooled_max", r.pooled_max, b, h, cells);
    written.add("group_mass", r.group_mass, b, h, p.tq * groups);
    written.add({"flags", r.flags, 1, 1, 0, 0, 1, 0, 1, 4});
    return somethingWanted(written, report) && written.check(report, stage);
}

bool checkRequest(const fv_problem& p, const fv_lines_request& r, const fv_exec& exec, Stage stage,
                  WrittenList& written, Report& report) {
    if (!knownSize(r, report) || !knownHeads(r.heads, report)) return false;
    if (!report.require(!r.rows != !r.columns, FV_NULL_POINTER, "rows",
                        "exactly one of rows and columns is given")) {
        return false;
    }
    if (!report.require(within(r.count, 1, 4096), FV_BAD_SIZE, "count", "not 1 to 4096")) return false;
    if (!report.require(r.out.data, FV_NULL_POINTER, "out", "the pointer is null")) return false;
    const int32_t* lines = r.rows ? r.rows : r.columns;
    const int64_t limit = r.rows ? p.tq : p.tk, length = r.rows ? p.tk : p.tq;
    if (stage == Stage::Run) {
        if (!report.require(aligned(lines, 4), FV_MISALIGNED, "rows", "the pointer is not aligned"))
            return false;
        bool known = true;
        for (int64_t i = 0; exec.kind == FV_CPU && i < r.count; ++i)
            known = known && within(lines[i], 0, limit - 1);
        if (!report.require(known, FV_BAD_VALUE, r.rows ? "rows" : "columns", "an index is out of range"))
            return false;
    }
    written.add("out", r.out, p.batch, r.heads == FV_HEADS_NONE ? p.q_heads : 1, r.count * length);
    return written.check(report, stage);
}

bool checkRequest(const fv_problem& p, const fv_tile_request& r, const fv_exec&, Stage stage,
                  WrittenList& written, Report& report) {
    if (!knownSize(r, report) || !knownHeads(r.heads, report)) return false;
    const bool known = within(numberOf(r.reduce), FV_TILE_MEAN, FV_TILE_SUM);
    if (!report.require(known, FV_BAD_VALUE, "reduce", "unknown reduction")) return false;
    const bool inside = within(r.row_begin, 0, p.tq - 1) && within(r.row_end, r.row_begin + 1, p.tq) &&
                        within(r.column_begin, 0, p.tk - 1) && within(r.column_end, r.column_begin + 1, p.tk);
    if (!report.require(inside, FV_BAD_SIZE, "tile", "the rectangle is empty or leaves the matrix"))
        return false;
    if (!report.require(within(r.height, 1, 4096) && within(r.width, 1, 4096), FV_BAD_SIZE, "tile",
                        "height and width are 1 to 4096")) {
        return false;
    }
    if (!report.require(r.out.data, FV_NULL_POINTER, "out", "the pointer is null")) return false;
    written.add("out", r.out, p.batch, r.heads == FV_HEADS_NONE ? p.q_heads : 1, r.height * r.width);
    return written.check(report, stage);
}

bool checkRequest(const fv_problem& p, const fv_product_request& r, const fv_exec&, Stage stage,
                  WrittenList& written, Report& report) {
    if (!knownSize(r, report)) return false;
    if (!report.require(within(r.transposed, 0, 1), FV_BAD_VALUE, "transposed", "neither 0 nor 1"))
        return false;
    if (!report.require(within(r.mean_heads, 0, 1), FV_BAD_VALUE, "mean_heads", "neither 0 nor 1"))
        return false;
    if (!report.require(within(r.columns, 1, 8), FV_BAD_SIZE, "columns", "not 1 to 8")) return false;
    if (!checkInput(r.x, r.x_stride_b, r.x_stride_h, stage, report)) return false;
    if (!report.require(r.out.data, FV_NULL_POINTER, "out", "the pointer is null")) return false;
    written.add("out", r.out, p.batch, r.mean_heads ? 1 : p.q_heads,
                (r.transposed ? p.tk : p.tq) * r.columns);
    return written.check(report, stage);
}

bool checkRequest(const fv_problem& p, const fv_relevance_request& r, const fv_exec&, Stage stage,
                  WrittenList& written, Report& report) {
    if (!knownSize(r, report)) return false;
    const bool known = within(numberOf(r.part), FV_POSITIVE, FV_ABSOLUTE);
    if (!report.require(known, FV_BAD_VALUE, "part", "unknown part")) return false;
    if (!report.require(within(r.columns, 1, 8), FV_BAD_SIZE, "columns", "not 1 to 8")) return false;
    if (!checkInput(r.x, r.x_stride_b, 0, stage, report)) return false;
    if (!report.require(r.out.data, FV_NULL_POINTER, "out", "the pointer is null")) return false;
    written.add("out", r.out, p.batch, 1, p.tk * r.columns);
    return written.check(report, stage);
}

bool checkRequest(const fv_problem& p, const fv_forward_request& r, const fv_exec& exec, Stage stage,
                  WrittenList& written, Report& report) {
    if (!knownSize(r, report)) return false;
    const bool known = within(numberOf(r.edit), FV_EDIT_NONE, FV_EDIT_RENORMALISE);
    if (!report.require(known, FV_BAD_VALUE, "edit", "unknown edit")) return false;
    const bool edited = r.edit != FV_EDIT_NONE;
    if ((edited || r.group_mass.data) && !checkGroups(p, {r.key_group, r.groups}, exec, stage, report))
        return false;
    if (edited) {
        const bool fits =
            within(r.factor_stride_b, 0, kMaxStride) && within(r.factor_stride_h, 0, kMaxStride) &&
            within(r.factor_stride_q, 0, kMaxStride) && within(r.factor_stride_g, 0, kMaxStride);
        if (!report.require(fits, FV_BAD_SIZE, "factor", "a stride is negative or too large")) return false;
        if (stage == Stage::Run &&
            !report.require(r.factor, FV_NULL_POINTER, "factor", "the pointer is null"))
            return false;
        if (stage == Stage::Run &&
            !report.require(aligned(r.factor, 4), FV_MISALIGNED, "factor", "the pointer is not aligned")) {
            return false;
        }
    }
    const int64_t b = p.batch, h = p.q_heads, dv = p.dv ? p.dv : p.d;
    written.add({"out", r.out.data, b, h, r.out.stride_b, r.out.stride_h, p.tq, r.out_stride_t, dv,
                 p.dtype == FV_F32 ? 4 : 2});
    written.add("lse", r.lse, b, h, p.tq);
    written.add("group_mass", r.group_mass, b, h, p.tq * (r.group_mass.data ? r.groups : 0));
    written.add("row_max", r.row_max, b, h, p.tq);
    written.add("row_entropy", r.row_entropy, b, h, p.tq);
    return somethingWanted(written, report) && written.check(report, stage);
}

}  // namespace fovea::kernels
