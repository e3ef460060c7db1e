#include "reference/dense_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/half.h"

namespace fovea::kernels {

namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

int64_t sequenceOf(const int32_t* offsets, int64_t sequences, int64_t token) {
    for (int64_t s = 0; s < sequences; ++s) {
        if (token >= offsets[s] && token < offsets[s + 1]) return s;
    }
    return -1;
}

// Every element of an operand [batch, heads, tokens, dim].
struct Operand {
    Operand(const fv_operand& x, fv_dtype dtype, const int64_t (&shape)[4])
        : heads(shape[1]), tokens(shape[2]), dim(shape[3]) {
        for (int64_t b = 0; b < shape[0]; ++b) {
            for (int64_t h = 0; h < heads; ++h) {
                for (int64_t i = 0; i < tokens; ++i) {
                    for (int64_t c = 0; c < dim; ++c) data.push_back(denseElement(x, dtype, b, h, i, c));
                }
            }
        }
    }
    const double* token(int64_t b, int64_t h, int64_t i) const {
        return &data[static_cast<size_t>(((b * heads + h) * tokens + i) * dim)];
    }

    int64_t heads, tokens, dim;
    std::vector<double> data;
};

double dotOf(const double* a, const double* b, int64_t count) {
    double sum = 0;
    for (int64_t c = 0; c < count; ++c) sum += a[c] * b[c];
    return sum;
}

// Logit of a visible pair from q.k.
double logitOf(const fv_problem& p, double dot, int64_t b, int64_t h, int64_t i, int64_t j) {
    double score = p.scale * dot;
    if (p.softcap > 0) score = p.softcap * std::tanh(score / p.softcap);
    if (!p.bias) return score;
    return score +
           p.bias[b * p.bias_stride_b + h * p.bias_stride_h + i * p.bias_stride_q + j * p.bias_stride_k];
}

// Part of cell [at, at + 1) that pixel `pixel` of `pixels` over `cells` cells covers.
double overlap(int64_t pixel, int64_t pixels, int64_t cells, int64_t at) {
    const double size = static_cast<double>(cells) / static_cast<double>(pixels);
    const double begin = std::max(static_cast<double>(pixel) * size, static_cast<double>(at));
    const double end = std::min(static_cast<double>(pixel + 1) * size, static_cast<double>(at + 1));
    return end - begin > 1e-9 ? end - begin : 0;
}

double joined(const fv_tile_request& r, const DenseAttention& a, int64_t b, int64_t head, int64_t i,
              int64_t j) {
    if (r.heads == FV_HEADS_NONE) return a.at(b, head, i, j);
    double value = a.at(b, 0, i, j);
    for (int64_t h = 1; h < a.heads; ++h) {
        const double other = a.at(b, h, i, j);
        if (r.heads == FV_HEADS_MEAN) value += other;
        if (r.heads == FV_HEADS_MAX) value = std::max(value, other);
        if (r.heads == FV_HEADS_MIN) value = std::min(value, other);
    }
    return r.heads == FV_HEADS_MEAN ? value / static_cast<double>(a.heads) : value;
}

}  // namespace

double denseElement(const fv_operand& x, fv_dtype dtype, int64_t b, int64_t h, int64_t token, int64_t c) {
    const int64_t at = b * x.stride_b + h * x.stride_h + token * x.stride_t + c;
    if (dtype == FV_F32) return static_cast<const float*>(x.data)[at];
    const uint16_t bits = static_cast<const uint16_t*>(x.data)[at];
    return dtype == FV_F16 ? cpu::fromHalf(bits) : cpu::fromBfloat(bits);
}

bool denseVisible(const fv_problem& p, int64_t batch, int64_t query, int64_t key) {
    int64_t i = query, j = key;
    if (p.cu_seqlens_q) {
        const int64_t ours = sequenceOf(p.cu_seqlens_q, p.sequences, query);
        if (ours != sequenceOf(p.cu_seqlens_k, p.sequences, key)) return false;
        i -= p.cu_seqlens_q[ours];
        j -= p.cu_seqlens_k[ours];
    }
    if (p.key_visible && !p.key_visible[batch * p.key_visible_stride_b + key]) return false;
    const int64_t at = i + p.q_offset;
    if (p.causal && !(j <= at || j < p.prefix)) return false;
    if (p.window_left >= 0 && j < at - p.window_left) return false;
    return p.window_right < 0 || j <= at + p.window_right;
}

DenseAttention denseAttention(const fv_problem& p) {
    DenseAttention result{p.batch, p.q_heads, p.tq, p.tk, {}, {}};
    result.probs.resize(static_cast<size_t>(p.batch * p.q_heads * p.tq * p.tk));
    result.lse.resize(static_cast<size_t>(p.batch * p.q_heads * p.tq));
    const Operand query(p.query, p.dtype, {p.batch, p.q_heads, p.tq, p.d});
    const Operand key(p.key, p.dtype, {p.batch, p.kv_heads, p.tk, p.d});
    const int64_t group = p.q_heads / p.kv_heads;
    for (int64_t line = 0; line < p.batch * p.q_heads * p.tq; ++line) {
        const int64_t b = line / (p.q_heads * p.tq), h = line / p.tq % p.q_heads, i = line % p.tq;
        double* row = &result.probs[static_cast<size_t>(line * p.tk)];
        double largest = kNone;
        for (int64_t j = 0; j < p.tk; ++j) {
            const bool visible = denseVisible(p, b, i, j);
            row[j] =
                visible ? logitOf(p, dotOf(query.token(b, h, i), key.token(b, h / group, j), p.d), b, h, i, j)
                        : kNone;
            largest = std::max(largest, row[j]);
        }
        if (largest == kNone) {
            std::fill(row, row + p.tk, 0.0);
            result.lse[line] = kNone;
            continue;
        }
        long double sum = 0;
        for (int64_t j = 0; j < p.tk; ++j) sum += row[j] = std::exp(row[j] - largest);
        for (int64_t j = 0; j < p.tk; ++j) row[j] = static_cast<double>(row[j] / sum);
        result.lse[line] = largest + static_cast<double>(std::log(sum));
    }
    return result;
}

std::vector<double> denseForward(const fv_problem& p, const fv_forward_request& r,
                                 const DenseAttention& dense) {
    const int64_t dv = p.dv ? p.dv : p.d;
    std::vector<double> out(static_cast<size_t>(p.batch * p.q_heads * p.tq * dv));
    const Operand value(p.value, p.dtype, {p.batch, p.kv_heads, p.tk, dv});
    for (int64_t line = 0; line < p.batch * p.q_heads * p.tq; ++line) {
        const int64_t b = line / (p.q_heads * p.tq), h = line / p.tq % p.q_heads, i = line % p.tq;
        double sum = 0;
        double* row = &out[static_cast<size_t>(line * dv)];
        for (int64_t j = 0; j < p.tk; ++j) {
            double weight = dense.at(b, h, i, j);
            if (r.edit != FV_EDIT_NONE && r.key_group[j] >= 0) {
                weight *= r.factor[b * r.factor_stride_b + h * r.factor_stride_h + i * r.factor_stride_q +
                                   r.key_group[j] * r.factor_stride_g];
            }
            sum += weight;
            for (int64_t c = 0; c < dv && weight != 0; ++c) {
                row[c] += weight * value.token(b, h / (p.q_heads / p.kv_heads), j)[c];
            }
        }
        for (int64_t c = 0; c < dv && r.edit == FV_EDIT_RENORMALISE; ++c) row[c] = sum > 0 ? row[c] / sum : 0;
    }
    return out;
}

std::vector<double> denseRelevance(const fv_problem& p, const fv_relevance_request& r,
                                   const DenseAttention& dense) {
    const int64_t dv = p.dv ? p.dv : p.d;
    std::vector<double> out(static_cast<size_t>(p.batch * p.tk * r.columns));
    const Operand value(p.value, p.dtype, {p.batch, p.kv_heads, p.tk, dv});
    const Operand gradient(p.grad_output, p.dtype, {p.batch, p.q_heads, p.tq, dv});
    for (int64_t line = 0; line < p.batch * p.q_heads * p.tq; ++line) {
        const int64_t b = line / (p.q_heads * p.tq), h = line / p.tq % p.q_heads, i = line % p.tq;
        for (int64_t j = 0; j < p.tk; ++j) {
            const double* v = value.token(b, h / (p.q_heads / p.kv_heads), j);
            double e = dense.at(b, h, i, j) * dotOf(gradient.token(b, h, i), v, dv);
            if (r.part == FV_POSITIVE) e = std::max(e, 0.0);
            if (r.part == FV_ABSOLUTE) e = std::abs(e);
            for (int64_t c = 0; c < r.columns; ++c) {
                out[static_cast<size_t>((b * p.tk + j) * r.columns + c)] +=
                    e * r.x[b * r.x_stride_b + i * r.columns + c] / static_cast<double>(p.q_heads);
            }
        }
    }
    return out;
}

std::vector<double> denseTile(const fv_tile_request& r, const DenseAttention& dense, int64_t b,
                              int64_t head) {
    const int64_t rows = r.row_end - r.row_begin, columns = r.column_end - r.column_begin;
    std::vector<double> out(static_cast<size_t>(r.height * r.width));
    for (int64_t y = 0; y < r.height; ++y) {
        for (int64_t x = 0; x < r.width; ++x) {
            double sum = 0, weight = 0, most = 0;
            for (int64_t i = y * rows / r.height; i <= (y + 1) * rows / r.height && i < rows; ++i) {
                for (int64_t j = x * columns / r.width; j <= (x + 1) * columns / r.width && j < columns;
                     ++j) {
                    const double part = overlap(y, r.height, rows, i) * overlap(x, r.width, columns, j);
                    if (part == 0) continue;
                    const double cell = joined(r, dense, b, head, r.row_begin + i, r.column_begin + j);
                    sum += part * cell;
                    weight += part;
                    most = std::max(most, cell);
                }
            }
            const double value = r.reduce == FV_TILE_MAX   ? most
                                 : r.reduce == FV_TILE_SUM ? sum
                                                           : sum / weight;
            out[static_cast<size_t>(y * r.width + x)] = value;
        }
    }
    return out;
}

}  // namespace fovea::kernels
