// The calls beside fv_stats: each brings the row normaliser and then launches its own pass.
#include "cuda/calls.h"
#include "cuda/generic.h"
#include "cuda/setup.h"

namespace fovea::kernels::cuda {

namespace {

fv_status shared(const fv_problem& p, bool rows, size_t* bytes) {
    if (!fitsDevice(p)) return FV_UNSUPPORTED;
    Arena arena;
    const Setup setup(p, rows, arena);
    *bytes = arena.bytes();
    return FV_OK;
}

/// Prepares the problem and then queues what `launch` does with it.
template <class Launch>
fv_status runWith(const fv_problem& p, const fv_exec& exec, void* workspace, Launch launch) {
    const DeviceScope device(exec.device);
    if (device.status() != FV_OK) return device.status();
    Arena arena;
    const Setup setup(p, false, arena);
    Launches launches(exec);
    const Problem problem = prepare(p, setup, workspace, {}, launches);
    launches.run([&](cudaStream_t stream) { return launch(problem, stream); });
    return launches.status();
}

PixelAxis axisOf(int64_t begin, int64_t end, int64_t pixels) { return {begin, end - begin, pixels, end, pixels}; }

}  // namespace

bool fitsDevice(const fv_problem& p) {
    constexpr int64_t tokens = int64_t{1} << 23, heads = 65535;
    return p.tq <= tokens && p.tk <= tokens && p.batch * p.q_heads <= heads;
}

fv_status linesWorkspace(const fv_problem& p, const fv_lines_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status linesRun(const fv_problem& p, const fv_lines_request& r, const fv_exec& exec, void* workspace, size_t) {
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const LinesOut out{r.rows ? r.rows : r.columns, static_cast<int32_t>(r.count), r.heads, outputOf(r.out)};
        return runLines(p.dtype, problem, out, r.columns != nullptr, stream);
    });
}

fv_status tileWorkspace(const fv_problem& p, const fv_tile_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status tileRun(const fv_problem& p, const fv_tile_request& r, const fv_exec& exec, void* workspace, size_t) {
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const TileOut out{axisOf(r.row_begin, r.row_end, r.height), axisOf(r.column_begin, r.column_end, r.width),
                          r.reduce, r.heads, outputOf(r.out)};
        return runTile(p.dtype, problem, out, stream);
    });
}

fv_status productWorkspace(const fv_problem& p, const fv_product_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status productRun(const fv_problem& p, const fv_product_request& r, const fv_exec& exec, void* workspace, size_t) {
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const ProductOut out{r.x, r.x_stride_b, r.x_stride_h, static_cast<int32_t>(r.columns), r.mean_heads,
                             outputOf(r.out)};
        return runProduct(p.dtype, problem, out, r.transposed != 0, stream);
    });
}

fv_status relevanceWorkspace(const fv_problem& p, const fv_relevance_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status relevanceRun(const fv_problem& p, const fv_relevance_request& r, const fv_exec& exec, void* workspace, size_t) {
    return runWith(p, exec, workspace, [&](const Problem& problem, cudaStream_t stream) {
        const RelevanceOut out{r.x, r.x_stride_b, static_cast<int32_t>(r.columns), r.part, outputOf(r.out)};
        return runRelevance(p.dtype, problem, out, stream);
    });
}

fv_status forwardWorkspace(const fv_problem& p, const fv_forward_request&, const fv_exec&, size_t* bytes) {
    return shared(p, false, bytes);
}

fv_status forwardRun(const fv_problem& p, const fv_forward_request& r, const fv_exec& exec, void* workspace, size_t) {
    const DeviceScope device(exec.device);
    if (device.status() != FV_OK) return device.status();
    Arena arena;
    const Setup setup(p, false, arena);
    Launches launches(exec);
    const Problem problem = prepare(p, setup, workspace, r.lse, launches);
    if (r.row_max.data || r.row_entropy.data) {
        const StatisticsOut out{{}, outputOf(r.row_max), {}, outputOf(r.row_entropy), nullptr};
        launches.run([&](cudaStream_t stream) { return runRowStatistics(p.dtype, problem, out, stream); });
    }
    if (r.group_mass.data) {
        const GroupOut out{r.key_group, static_cast<int32_t>(r.groups), outputOf(r.group_mass)};
        launches.run([&](cudaStream_t stream) { return runGroupMass(p.dtype, problem, out, stream); });
    }
    if (r.out.data) {
        const ForwardOut out{r.edit,           r.key_group,       static_cast<int32_t>(r.groups),
                             r.factor,         r.factor_stride_b, r.factor_stride_h,
                             r.factor_stride_q, r.factor_stride_g, r.out.data,
                             r.out.stride_b,   r.out.stride_h,    r.out_stride_t};
        launches.run([&](cudaStream_t stream) { return runForward(p.dtype, problem, out, stream); });
    }
    return launches.status();
}

}  // namespace fovea::kernels::cuda
