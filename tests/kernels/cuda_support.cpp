#include "kernels/cuda_support.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <iostream>
#include <limits>
#include <random>
#include <stdexcept>
#include <thread>

#include "fovea/kernels/kernels.h"

namespace fovea::kernels::test {

namespace {

constexpr int kPoison = 0x7d;

void require(cudaError_t error) {
    if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

uint16_t toBfloat(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

double fromBfloat(uint16_t x) {
    const uint32_t bits = static_cast<uint32_t>(x) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

double roundTo(fv_dtype dtype, double x) {
    if (dtype == FV_F32) return static_cast<float>(x);
    if (dtype == FV_BF16) return fromBfloat(toBfloat(static_cast<float>(x)));
    return static_cast<double>(static_cast<_Float16>(x));
}

void store(fv_dtype dtype, void* to, int64_t index, double x) {
    if (dtype == FV_F32)
        static_cast<float*>(to)[index] = static_cast<float>(x);
    else if (dtype == FV_BF16)
        static_cast<uint16_t*>(to)[index] = toBfloat(static_cast<float>(x));
    else
        static_cast<_Float16*>(to)[index] = static_cast<_Float16>(x);
}

int64_t rowLength(const Case& c, int64_t dim) {
    return c.layout == Layout::Odd ? dim + 3 : dim;
}

size_t elementBytes(fv_dtype dtype) {
    return dtype == FV_F32 ? 4 : 2;
}

}  // namespace

DeviceArray::DeviceArray(size_t bytes) : m_bytes(bytes) {
    require(cudaMalloc(reinterpret_cast<void**>(&m_memory), bytes + 2 * kGuard));
    poison();
}

DeviceArray::~DeviceArray() {
    cudaFree(m_memory);
}

void DeviceArray::poison() {
    require(cudaMemset(m_memory, kPoison, m_bytes + 2 * kGuard));
}

bool DeviceArray::guarded() const {
    std::vector<unsigned char> host(m_bytes + 2 * kGuard);
    require(cudaMemcpy(host.data(), m_memory, host.size(), cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < kGuard; ++i)
        if (host[i] != kPoison || host[kGuard + m_bytes + i] != kPoison) return false;
    return true;
}

void DeviceArray::copyOut(void* host) const {
    require(cudaMemcpy(host, data(), m_bytes, cudaMemcpyDeviceToHost));
}
void DeviceArray::write(const void* host) {
    require(cudaMemcpy(data(), host, m_bytes, cudaMemcpyHostToDevice));
}

Tensor::Tensor(const Case& c, int64_t headCount, int64_t tokenCount, int64_t dimCount, unsigned seed,
               double scale, bool constant)
    : batch(c.batch),
      heads(headCount),
      tokens(tokenCount),
      dim(dimCount),
      strideB(headCount * tokenCount * rowLength(c, dimCount)),
      strideH(c.layout == Layout::TokensFirst ? dimCount : tokenCount * rowLength(c, dimCount)),
      strideT(c.layout == Layout::TokensFirst ? headCount * dimCount : rowLength(c, dimCount)),
      values(static_cast<size_t>(batch * heads * tokens * dim)),
      m_device(static_cast<size_t>(batch * strideB) * elementBytes(c.dtype)) {
    std::mt19937 engine(seed);
    std::normal_distribution<double> normal;
    for (double& x : values) x = roundTo(c.dtype, scale * normal(engine));
    if (constant)
        for (int64_t h = 0; h < batch * heads; ++h)
            for (int64_t t = 1; t < tokens; ++t)
                for (int64_t i = 0; i < dim; ++i)
                    values[(h * tokens + t) * dim + i] = values[h * tokens * dim + i];
    upload(c.dtype);
}

void Tensor::upload(fv_dtype dtype) {
    std::vector<char> host(m_device.bytes(), static_cast<char>(0xff));  // what lies between the rows is NaN
    for (int64_t b = 0; b < batch; ++b)
        for (int64_t h = 0; h < heads; ++h)
            for (int64_t t = 0; t < tokens; ++t)
                for (int64_t i = 0; i < dim; ++i)
                    store(dtype, host.data(), b * strideB + h * strideH + t * strideT + i, row(b, h, t)[i]);
    m_device.write(host.data());
}

Trial::Trial(const Case& given)
    : c(given),
      query(c, c.qHeads, c.tq, c.d, 11, c.values == Values::Sharp ? 6.0 : 1.0, false),
      key(c, c.kvHeads, c.tk, c.d, 12, 1.0, c.values == Values::ConstantKeys),
      value(c, c.kvHeads, c.tk, c.dv ? c.dv : c.d, 13, 1.0, false),
      gradOutput(c, c.qHeads, c.tq, c.dv ? c.dv : c.d, 14, 1.0, false),
      keyVisible(static_cast<size_t>(c.batch * c.tk), 1),
      bias(static_cast<size_t>(c.bias ? c.qHeads * c.tq * c.tk : 1)),
      keyVisibleDevice(keyVisible.size()),
      biasDevice(bias.size() * 4),
      lseDevice(static_cast<size_t>(c.batch * c.qHeads * c.tq) * 4),
      seqQDevice(std::max<size_t>(c.seqQ.size(), 1) * 4),
      seqKDevice(std::max<size_t>(c.seqK.size(), 1) * 4) {
    std::mt19937 engine(15);
    std::normal_distribution<float> normal;
    for (float& x : bias) x = normal(engine);
    if (c.hideKeys)
        for (auto& seen : keyVisible) seen = engine() % 4 != 0;
    if (c.values == Values::Sink) {
        for (int64_t b = 0; b < c.batch; ++b)
            for (int64_t h = 0; h < c.kvHeads; ++h)
                for (int64_t i = 0; i < c.d; ++i)
                    key.row(b, h, 0)[i] = roundTo(c.dtype, query.row(b, h, c.tq / 2)[i] * 2);
        key.upload(c.dtype);
    }
    keyVisibleDevice.write(keyVisible.data());
    biasDevice.write(bias.data());
    fv_problem& p = problem;
    p.struct_size = sizeof(fv_problem);
    p.dtype = c.dtype;
    p.batch = c.batch;
    p.q_heads = c.qHeads;
    p.kv_heads = c.kvHeads;
    p.tq = c.tq;
    p.tk = c.tk;
    p.d = c.d;
    p.dv = c.dv;
    p.query = query.operand();
    p.key = key.operand();
    p.value = value.operand();
    p.grad_output = gradOutput.operand();
    p.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.d)));
    p.softcap = c.softcap;
    p.causal = c.causal;
    p.q_offset = c.qOffset;
    p.prefix = c.prefix;
    p.window_left = c.windowLeft;
    p.window_right = c.windowRight;
    if (c.hideKeys) p.key_visible = static_cast<const uint8_t*>(keyVisibleDevice.data());
    p.key_visible_stride_b = c.tk;
    if (!c.seqQ.empty()) {
        p.cu_seqlens_q = c.seqQ.data();
        p.cu_seqlens_k = c.seqK.data();
        p.sequences = static_cast<int64_t>(c.seqQ.size()) - 1;
        if (p.sequences > 4096) {
            seqQDevice.write(c.seqQ.data());
            seqKDevice.write(c.seqK.data());
            p.cu_seqlens_q = static_cast<const int32_t*>(seqQDevice.data());
            p.cu_seqlens_k = static_cast<const int32_t*>(seqKDevice.data());
        }
    }
    if (c.bias) p.bias = static_cast<const float*>(biasDevice.data());
    p.bias_stride_h = c.tq * c.tk;
    p.bias_stride_q = c.tk;
    p.bias_stride_k = 1;
    computeShares();
    std::vector<float> natural(lse.begin(), lse.end());
    lseDevice.write(natural.data());
    if (c.lse) {
        p.lse = static_cast<const float*>(lseDevice.data());
        p.lse_stride_t = 1;
        p.lse_stride_h = c.tq;
        p.lse_stride_b = c.qHeads * c.tq;
    }
}

bool Trial::visible(int64_t b, int64_t q, int64_t k) const {
    if (!keyVisible[static_cast<size_t>(b * c.tk + k)]) return false;
    int64_t position = q, keyPosition = k;
    if (!c.seqQ.empty()) {
        size_t s = 0;
        while (c.seqQ[s + 1] <= q) ++s;
        if (k < c.seqK[s] || k >= c.seqK[s + 1]) return false;
        position -= c.seqQ[s];
        keyPosition -= c.seqK[s];
    }
    position += c.qOffset;
    if (c.causal && keyPosition > position && keyPosition >= c.prefix) return false;
    if (c.windowLeft >= 0 && keyPosition < position - c.windowLeft) return false;
    return c.windowRight < 0 || keyPosition <= position + c.windowRight;
}

void Trial::computeShares() {
    const int64_t heads = c.batch * c.qHeads;
    shares.assign(static_cast<size_t>(heads * c.tq * c.tk), 0.0);
    lse.assign(static_cast<size_t>(heads * c.tq), -std::numeric_limits<double>::infinity());
    std::vector<double> magnitude(static_cast<size_t>(heads * c.tq));
    parallel(heads * c.tq, [&](int64_t index) {
        const int64_t head = index / c.tq, q = index % c.tq, b = head / c.qHeads, h = head % c.qHeads;
        double* row = &shares[static_cast<size_t>(index * c.tk)];
        const double* x = query.row(b, h, q);
        double top = -std::numeric_limits<double>::infinity();
        for (int64_t k = 0; k < c.tk; ++k) {
            row[k] = -std::numeric_limits<double>::infinity();
            if (!visible(b, q, k)) continue;
            const double* y = key.row(b, h / (c.qHeads / c.kvHeads), k);
            double dot = 0, size = 0;
            for (int64_t i = 0; i < c.d; ++i) {
                dot += x[i] * y[i];
                size += std::abs(x[i] * y[i]);
            }
            magnitude[static_cast<size_t>(index)] =
                std::max(magnitude[static_cast<size_t>(index)], size * problem.scale);
            double logit = dot * problem.scale;
            if (c.softcap > 0) logit = c.softcap * std::tanh(logit / c.softcap);
            if (c.bias) logit += bias[static_cast<size_t>((h * c.tq + q) * c.tk + k)];
            row[k] = logit;
            top = std::max(top, logit);
        }
        if (top == -std::numeric_limits<double>::infinity()) {
            for (int64_t k = 0; k < c.tk; ++k) row[k] = 0;
            return;
        }
        long double sum = 0;
        for (int64_t k = 0; k < c.tk; ++k) sum += row[k] = std::exp(row[k] - top);
        for (int64_t k = 0; k < c.tk; ++k) row[k] = static_cast<double>(row[k] / sum);
        lse[static_cast<size_t>(index)] = top + static_cast<double>(std::log(sum));
    });
    double largest = 0;
    for (const double m : magnitude) largest = std::max(largest, m);
    tolerance = 1e-5 + 6 * std::ldexp(largest, -23);
}

fv_exec cudaExec() {
    fv_exec exec{};
    exec.struct_size = sizeof exec;
    exec.kind = FV_CUDA;
    return exec;
}

void parallel(int64_t n, const std::function<void(int64_t)>& body) {
    std::atomic<int64_t> next{0};
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
        threads.emplace_back([&] {
            for (int64_t i; (i = next.fetch_add(16)) < n;)
                for (int64_t j = i; j < std::min(n, i + 16); ++j) body(j);
        });
}

bool deviceMissing(const char* what, int64_t cases) {
    if (fv_device_count() > 0) return false;
    std::cout << what << ": no CUDA device, 0 passed, 0 failed, " << cases << " skipped\n";
    return true;
}

}  // namespace fovea::kernels::test
