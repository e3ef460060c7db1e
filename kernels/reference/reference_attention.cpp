#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include "fovea/kernels/kernels.h"

namespace {

struct Row {
    double lse, entropy, largest;
};

bool valid(const fv_reference_problem& p) {
    return p.heads > 0 && p.kv_heads > 0 && p.heads % p.kv_heads == 0 && p.tq > 0 && p.tk > 0 && p.d > 0;
}

double logit(const fv_reference_problem& p, int64_t head, int64_t query, int64_t key) {
    const double* q = p.query + (head * p.tq + query) * p.d;
    const double* k = p.key + ((head / (p.heads / p.kv_heads)) * p.tk + key) * p.d;
    double dot = 0;
    for (int64_t i = 0; i < p.d; ++i) dot += q[i] * k[i];
    const double bias = p.bias ? p.bias[(head * p.tq + query) * p.tk + key] : 0;
    return p.scale * dot + bias;
}

// Fills `probs` with the row's probabilities; a fully masked row is all zero.
Row softmaxRow(const fv_reference_problem& p, int64_t head, int64_t query, std::vector<double>& probs) {
    const double masked = -std::numeric_limits<double>::infinity();
    double largest = masked;
    for (int64_t key = 0; key < p.tk; ++key) {
        const bool hidden = p.causal && key > query + p.q_offset;
        probs[key] = hidden ? masked : logit(p, head, query, key);
        largest = std::max(largest, probs[key]);
    }
    if (largest == masked) {
        std::fill(probs.begin(), probs.end(), 0.0);
        return {masked, 0, 0};
    }
    long double sum = 0;
    for (double& value : probs) sum += value = std::exp(value - largest);
    long double entropy = 0;
    double top = 0;
    for (double& value : probs) {
        value = static_cast<double>(value / sum);
        top = std::max(top, value);
        if (value > 0) entropy -= static_cast<long double>(value) * std::log(value);
    }
    return {largest + static_cast<double>(std::log(sum)), static_cast<double>(entropy), top};
}

void accumulate(const std::vector<double>& probs, double* colsum, double* colmax) {
    for (size_t key = 0; key < probs.size(); ++key) {
        if (colsum) colsum[key] += probs[key];
        if (colmax) colmax[key] = std::max(colmax[key], probs[key]);
    }
}

}  // namespace

fv_status fv_reference_attention(const fv_reference_problem* problem, const fv_reference_result* result) {
    if (!problem || !result || !problem->query || !problem->key) return FV_NULL_POINTER;
    if (!valid(*problem)) return FV_BAD_SIZE;
    const fv_reference_problem& p = *problem;
    std::vector<double> probs(static_cast<size_t>(p.tk));
    for (int64_t head = 0; head < p.heads; ++head) {
        double* colsum = result->colsum ? result->colsum + head * p.tk : nullptr;
        double* colmax = result->colmax ? result->colmax + head * p.tk : nullptr;
        if (colsum) std::fill(colsum, colsum + p.tk, 0.0);
        if (colmax) std::fill(colmax, colmax + p.tk, 0.0);
        for (int64_t query = 0; query < p.tq; ++query) {
            const Row row = softmaxRow(p, head, query, probs);
            const int64_t index = head * p.tq + query;
            if (result->probs) std::copy(probs.begin(), probs.end(), result->probs + index * p.tk);
            if (result->lse) result->lse[index] = row.lse;
            if (result->entropy) result->entropy[index] = row.entropy;
            if (result->rowmax) result->rowmax[index] = row.largest;
            accumulate(probs, colsum, colmax);
        }
    }
    return FV_OK;
}
