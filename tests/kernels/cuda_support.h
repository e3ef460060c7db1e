// What the tests of the CUDA kernels share: device arrays with guarded edges, random problems and the float64
// truth.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "fovea/kernels/statistics.h"

namespace fovea::kernels::test {

/// Device memory of `bytes` between two guards, filled with a poison pattern that no kernel produces.
class DeviceArray {
public:
    explicit DeviceArray(size_t bytes);
    ~DeviceArray();
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    void* data() const { return m_memory + kGuard; }
    size_t bytes() const { return m_bytes; }
    void poison();
    /// True when neither guard was written.
    bool guarded() const;
    template <class T>
    std::vector<T> read() const {
        std::vector<T> host(m_bytes / sizeof(T));
        copyOut(host.data());
        return host;
    }
    void write(const void* host);

private:
    static constexpr size_t kGuard = 256;
    void copyOut(void* host) const;

    char* m_memory = nullptr;
    size_t m_bytes;
};

/// How a tensor lies in memory: heads before tokens, tokens before heads, or rows of an odd length.
enum class Layout { HeadsFirst, TokensFirst, Odd };
/// What the numbers are like.
enum class Values { Normal, Sharp, ConstantKeys, Sink };

/// A problem to try; the fields are those of fv_problem.
struct Case {
    std::string name = {};
    fv_dtype dtype = FV_BF16;
    int64_t batch = 1, qHeads = 1, kvHeads = 1, tq = 64, tk = 64, d = 64, dv = 0;
    bool causal = false;
    int64_t qOffset = 0, prefix = 0, windowLeft = -1, windowRight = -1;
    bool hideKeys = false, bias = false, lse = false;
    float softcap = 0;
    std::vector<int32_t> seqQ = {}, seqK = {};
    Layout layout = Layout::HeadsFirst;
    Values values = Values::Normal;
};

/// A tensor on the device and the same numbers in float64, [batch, heads, tokens, dim].
struct Tensor {
    Tensor(const Case& c, int64_t heads, int64_t tokens, int64_t dim, unsigned seed, double scale,
           bool constant);
    fv_operand operand() const { return {m_device.data(), strideB, strideH, strideT}; }
    const double* row(int64_t b, int64_t h, int64_t t) const {
        return &values[((b * heads + h) * tokens + t) * dim];
    }
    double* row(int64_t b, int64_t h, int64_t t) { return &values[((b * heads + h) * tokens + t) * dim]; }
    void upload(fv_dtype dtype);

    int64_t batch, heads, tokens, dim, strideB, strideH, strideT;
    std::vector<double> values;

private:
    DeviceArray m_device;
};

/// A case made concrete, and its probabilities in float64.
struct Trial {
    explicit Trial(const Case& c);
    bool visible(int64_t b, int64_t q, int64_t k) const;
    /// Probabilities [batch * heads, tq, tk].
    double share(int64_t head, int64_t q, int64_t k) const {
        return shares[static_cast<size_t>((head * c.tq + q) * c.tk + k)];
    }

    Case c;
    Tensor query, key, value, gradOutput;
    std::vector<uint8_t> keyVisible;
    std::vector<float> bias;
    DeviceArray keyVisibleDevice, biasDevice, lseDevice;
    DeviceArray seqQDevice, seqKDevice;  ///< used beyond 4096 sequences
    fv_problem problem{};
    std::vector<double> shares, lse;
    /// Bound of the relative error of a probability: rounding of the logit in fp32.
    double tolerance = 1e-5;

private:
    void computeShares();
};

/// Workspace of exactly the reported size.
fv_exec cudaExec();

/// Runs body(i) for i below n on all processors.
void parallel(int64_t n, const std::function<void(int64_t)>& body);

/// Number of CUDA devices; the first time it is 0 it says that the cases are skipped.
bool deviceMissing(const char* what, int64_t cases);

}  // namespace fovea::kernels::test
