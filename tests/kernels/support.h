// Problems with random operands, guarded buffers and calls with an exact, poisoned workspace.
#pragma once

#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "fovea/kernels/statistics.h"
#include "reference/dense_attention.h"

namespace kernel_tests {

/// What a problem looks like; masks are set on the problem itself afterwards.
struct Shape {
    fv_dtype dtype = FV_F32;
    int64_t batch = 1, qHeads = 1, kvHeads = 1, tq = 1, tk = 1, d = 8, dv = 0;
    double sharpness = 1;      ///< standard deviation of the logits, about
    bool tokensFirst = false;  ///< [batch, tokens, heads, dim] in memory, with a gap after each token
    unsigned seed = 1;
};

/// A problem and the memory it points to.
class Case {
public:
    explicit Case(const Shape& shape);
    Case(const Case&) = delete;

    Shape shape;
    fv_problem problem{};
    std::vector<uint8_t> visible;
    std::vector<int32_t> offsetsQ, offsetsK;
    std::vector<float> bias, lse;

    void setElement(const fv_operand& operand, int64_t b, int64_t h, int64_t token, int64_t c, float value);
    /// Hides about a third of the keys of each batch entry.
    void hideSomeKeys();
    /// Block-diagonal sequences that end at the given tokens.
    void setSequences(const std::vector<int32_t>& endsQ, const std::vector<int32_t>& endsK);
    /// Random bias [heads, tq, tk], the same for every batch entry; `minusInfinity` puts -inf into a tenth of
    /// the cells.
    void addBias(bool minusInfinity);
    /// Gives the problem the log-sum-exp of the reference.
    void giveLse(const fovea::kernels::DenseAttention& dense, bool log2);

private:
    fv_operand operand(int64_t heads, int64_t tokens, int64_t dim, double size);

    std::mt19937 m_random;
    std::vector<std::vector<uint8_t>> m_memory;
};

/// Memory between two guards, filled with a pattern that no kernel writes.
template <class T>
class Guarded {
public:
    Guarded() = default;
    explicit Guarded(size_t count)
        : m_count(count), m_memory((count + 2 * kGuard) * sizeof(T) + 64, kPoison) {
        const uintptr_t start = reinterpret_cast<uintptr_t>(m_memory.data());
        m_shift = static_cast<size_t>((64 - start % 64) % 64);
    }

    T* data() { return m_count ? reinterpret_cast<T*>(m_memory.data() + m_shift) + kGuard : nullptr; }
    const T* data() const { return const_cast<Guarded*>(this)->data(); }
    size_t size() const { return m_count; }
    T operator[](size_t i) const { return data()[i]; }
    T* begin() { return data(); }
    T* end() { return data() + m_count; }

    bool guardsIntact() const {
        const uint8_t* start = reinterpret_cast<const uint8_t*>(data());
        if (m_count == 0) return true;
        for (size_t i = 0; i < kGuard * sizeof(T); ++i) {
            if (start[-1 - static_cast<std::ptrdiff_t>(i)] != kPoison ||
                start[m_count * sizeof(T) + i] != kPoison)
                return false;
        }
        return true;
    }
    bool fullyWritten() const {
        T poison;
        std::memset(&poison, kPoison, sizeof(T));
        for (size_t i = 0; i < m_count; ++i) {
            if (std::memcmp(data() + i, &poison, sizeof(T)) == 0) return false;
        }
        return true;
    }
    bool untouched() const {
        const uint8_t* start = reinterpret_cast<const uint8_t*>(data());
        for (size_t i = 0; i < m_count * sizeof(T); ++i) {
            if (start[i] != kPoison) return false;
        }
        return true;
    }
    bool sameBytes(const Guarded& other) const {
        return m_count == other.m_count && std::memcmp(data(), other.data(), m_count * sizeof(T)) == 0;
    }

private:
    static constexpr size_t kGuard = 64;
    static constexpr uint8_t kPoison = 0xf7;  // as fp32 a large negative number, as a pointer nothing
    size_t m_count = 0, m_shift = 0;
    std::vector<uint8_t> m_memory;
};

/// How a call runs: level, threads of a real pool, and whether it is cancelled.
struct Runner {
    int level = FV_LEVEL_BEST;
    int threads = 1;
    const volatile int* cancel = nullptr;

    fv_exec exec() const;
};

/// Every level of this machine.
std::vector<int> levels();

template <class Request>
using Sizer = fv_status (*)(const fv_problem*, const Request*, const fv_exec*, size_t*);
template <class Request>
using Caller = fv_status (*)(const fv_problem*, const Request*, const fv_exec*, void*, size_t);

/// Runs a call with exactly the reported workspace; a damaged guard is reported as FV_DEVICE_ERROR.
template <class Request>
fv_status call(Sizer<Request> size, Caller<Request> run, const fv_problem& problem, const Request& request,
               const Runner& runner) {
    const fv_exec exec = runner.exec();
    size_t bytes = 0;
    const fv_status sized = size(&problem, &request, &exec, &bytes);
    if (sized != FV_OK) return sized;
    Guarded<uint8_t> workspace(bytes);
    const fv_status status = run(&problem, &request, &exec, workspace.data(), bytes);
    return workspace.guardsIntact() ? status : FV_DEVICE_ERROR;
}

/// Outputs of a statistics call, all of them or a chosen part.
struct StatsOutputs {
    enum Part : unsigned {
        Columns = 1,
        ColumnArgmax = 2,
        Rows = 4,
        Top = 8,
        ColumnTop = 16,
        Pool = 32,
        Groups = 64,
        Sums = 128,
        All = 255
    };
    StatsOutputs(const fv_problem& problem, unsigned parts, int64_t top, int64_t block, int64_t groups);

    fv_stats_request request{};
    Guarded<float> lse, colSum, colMax, rowMax, rowEntropy, rowSum, topValue, colTopValue, pooledMean,
        pooledMax, mass;
    Guarded<int32_t> colArgmax, rowArgmax, topIndex, colTopIndex, flags;
    std::vector<int32_t> keyGroup;

    fv_status run(const fv_problem& problem, const Runner& runner);
    bool guardsIntact() const;
    bool fullyWritten() const;
};

/// Largest |logit| of a problem, for tolerances.
double logitScale(const Case& test);

}  // namespace kernel_tests
