// What every call does first: lay out its workspace, tell the visible spans, and bring or compute the row
// normaliser.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/device/fast.h"
#include "fovea/kernels/statistics.h"

namespace fovea::kernels::cuda {

/// Hands out parts of the workspace; all parts are 64-byte aligned.
class Arena {
public:
    size_t take(int64_t count, int64_t elementBytes);
    size_t bytes() const { return m_bytes; }

private:
    size_t m_bytes = 0;
};

/// Makes one device current while it lives.
class DeviceScope {
public:
    explicit DeviceScope(int device);
    ~DeviceScope();
    fv_status status() const { return m_status; }

private:
    int m_previous = 0;
    fv_status m_status = FV_OK;
};

/// Parts of the workspace that most calls share, in offsets.
struct Setup {
    bool masked = false, copiesOffsets = false, fastShape = false;
    int64_t keyBlocks = 0, chunk = 0;  // heads that one fast pass takes
    int64_t queries = 0, parts = 1;    // queries that it takes, a multiple of 64 unless all, and how often
    size_t offsetsQ = 0, offsetsK = 0, spans = 0, negLse = 0, rowPart = 0;
    bool hasRowPart = false;

    /// `rowPart` is reserved when the normaliser has to be computed or `rows` says that row statistics need
    /// it.
    Setup(const fv_problem& p, bool rows, Arena& arena);
};

/// Parts into which a fast pass splits the queries so that a large device is busy.
int64_t slicesFor(const fv_problem& p);
/// A pass over all heads and queries that writes nothing yet; columns in the workspace lie as [slices, heads,
/// tk].
FastPass wholePass(const fv_problem& p, const Problem& problem);

/// Whether the fast passes take this problem: shapes alone, and then pointers and strides.
bool hasFastShape(const fv_problem& p);
bool isFast(const fv_problem& p);

/// Stops a sequence of launches at the first error or when the caller cancels.
class Launches {
public:
    explicit Launches(const fv_exec& exec) : m_exec(exec) {}
    cudaStream_t stream() const { return static_cast<cudaStream_t>(m_exec.stream); }
    template <class Launch>
    void run(Launch launch) {
        if (m_status == FV_OK && m_exec.cancel && *m_exec.cancel) m_status = FV_CANCELLED;
        if (m_status == FV_OK) check(launch(stream()));
    }
    fv_status status() const { return m_status; }

private:
    void check(cudaError_t error);

    const fv_exec& m_exec;
    fv_status m_status = FV_OK;
};

template <class T>
T* part(void* workspace, size_t offset) {
    return reinterpret_cast<T*>(static_cast<char*>(workspace) + offset);
}

Output outputOf(const fv_output& o);

/// Whether the fast pass of this problem runs on wgmma, on the current device.
bool usesWgmma(const fv_problem& p);

/// Runs the fast pass on the best instructions of the current device.
cudaError_t runFastPass(const fv_problem& p, FastMode mode, const FastPass& pass, cudaStream_t stream);

/// Queues everything up to the normaliser and describes the problem for the kernels; writes `lse` where
/// wanted.
Problem prepare(const fv_problem& p, const Setup& setup, void* workspace, const fv_output& lse,
                Launches& launches);

}  // namespace fovea::kernels::cuda
