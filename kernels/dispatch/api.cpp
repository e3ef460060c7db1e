// The C entry points: check, choose the back end, check the workspace, run.
#include "dispatch/backend.h"
#include "dispatch/checks.h"

using namespace fovea::kernels;

namespace {

Reads readsOf(const fv_stats_request&) {
    return {false, false};
}
Reads readsOf(const fv_lines_request&) {
    return {false, false};
}
Reads readsOf(const fv_tile_request&) {
    return {false, false};
}
Reads readsOf(const fv_product_request&) {
    return {false, false};
}
Reads readsOf(const fv_relevance_request&) {
    return {true, true};
}
Reads readsOf(const fv_forward_request& request) {
    return {request.out.data != nullptr, false};
}

template <class Request>
bool check(const fv_problem* problem, const Request* request, const fv_exec* exec, Stage stage,
           WrittenList& written, Report& report) {
    return checkExec(exec, report) &&
           report.require(request, FV_NULL_POINTER, "request", "the pointer is null") &&
           checkProblem(problem, *exec, readsOf(*request), stage, report) &&
           checkRequest(*problem, *request, *exec, stage, written, report);
}

template <class Request>
fv_status workspace(Call<Request> Backend::*call, const fv_problem* problem, const Request* request,
                    const fv_exec* exec, size_t* bytes) {
    Report report(exec);
    WrittenList written;
    if (!report.require(bytes, FV_NULL_POINTER, "bytes", "the pointer is null")) return report.status();
    if (!check(problem, request, exec, Stage::Workspace, written, report)) return report.status();
    const Backend& backend = exec->kind == FV_CPU ? cpuBackend() : cudaBackend();
    return (backend.*call).workspace(*problem, *request, *exec, bytes);
}

template <class Request>
fv_status run(Call<Request> Backend::*call, const fv_problem* problem, const Request* request,
              const fv_exec* exec, void* memory, size_t bytes) {
    Report report(exec);
    WrittenList written;
    if (!check(problem, request, exec, Stage::Run, written, report)) return report.status();
    const Backend& backend = exec->kind == FV_CPU ? cpuBackend() : cudaBackend();
    size_t needed = 0;
    const fv_status sized = (backend.*call).workspace(*problem, *request, *exec, &needed);
    if (sized != FV_OK) return sized;
    const bool usable =
        report.require(memory || needed == 0, FV_NULL_POINTER, "workspace", "the pointer is null") &&
        report.require(aligned(memory, 64), FV_MISALIGNED, "workspace", "not aligned to 64 bytes") &&
        report.require(bytes >= needed, FV_SMALL_WORKSPACE, "workspace", "smaller than reported") &&
        report.require(!written.touches(memory, needed), FV_OVERLAP, "workspace",
                       "it shares memory with an output");
    if (!usable) return report.status();
    return (backend.*call).run(*problem, *request, *exec, memory, needed);
}

}  // namespace

fv_status fv_stats_workspace(const fv_problem* p, const fv_stats_request* r, const fv_exec* e,
                             size_t* bytes) {
    return workspace(&Backend::stats, p, r, e, bytes);
}

fv_status fv_stats_run(const fv_problem* p, const fv_stats_request* r, const fv_exec* e, void* memory,
                       size_t bytes) {
    return run(&Backend::stats, p, r, e, memory, bytes);
}

fv_status fv_lines_workspace(const fv_problem* p, const fv_lines_request* r, const fv_exec* e,
                             size_t* bytes) {
    return workspace(&Backend::lines, p, r, e, bytes);
}

fv_status fv_lines_run(const fv_problem* p, const fv_lines_request* r, const fv_exec* e, void* memory,
                       size_t bytes) {
    return run(&Backend::lines, p, r, e, memory, bytes);
}

fv_status fv_tile_workspace(const fv_problem* p, const fv_tile_request* r, const fv_exec* e, size_t* bytes) {
    return workspace(&Backend::tile, p, r, e, bytes);
}

fv_status fv_tile_run(const fv_problem* p, const fv_tile_request* r, const fv_exec* e, void* memory,
                      size_t bytes) {
    return run(&Backend::tile, p, r, e, memory, bytes);
}

fv_status fv_product_workspace(const fv_problem* p, const fv_product_request* r, const fv_exec* e,
                               size_t* bytes) {
    return workspace(&Backend::product, p, r, e, bytes);
}

fv_status fv_product_run(const fv_problem* p, const fv_product_request* r, const fv_exec* e, void* memory,
                         size_t bytes) {
    return run(&Backend::product, p, r, e, memory, bytes);
}

fv_status fv_relevance_workspace(const fv_problem* p, const fv_relevance_request* r, const fv_exec* e,
                                 size_t* bytes) {
    return workspace(&Backend::relevance, p, r, e, bytes);
}

fv_status fv_relevance_run(const fv_problem* p, const fv_relevance_request* r, const fv_exec* e, void* memory,
                           size_t bytes) {
    return run(&Backend::relevance, p, r, e, memory, bytes);
}

fv_status fv_forward_workspace(const fv_problem* p, const fv_forward_request* r, const fv_exec* e,
                               size_t* bytes) {
    return workspace(&Backend::forward, p, r, e, bytes);
}

fv_status fv_forward_run(const fv_problem* p, const fv_forward_request* r, const fv_exec* e, void* memory,
                         size_t bytes) {
    return run(&Backend::forward, p, r, e, memory, bytes);
}
