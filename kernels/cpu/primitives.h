// The operations of level.h over a vector type V; included once by each level's translation unit, which is
// compiled for its instruction set. V has internal linkage, and nothing of the standard library is used, so
// that no function compiled for a newer processor can be picked by the linker for an older one.
#pragma once

#include <string.h>

#include "cpu/level.h"

#if defined(__clang__)
#define FOVEA_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define FOVEA_UNROLL _Pragma("GCC unroll 8")
#else
#define FOVEA_UNROLL
#endif

namespace fovea::kernels::cpu {

template <class V>
struct Primitives {
    using F = typename V::F;
    static constexpr int W = V::kWidth, R = V::kRows, N = V::kVectors, P = W * N;

    // Degree-5 minimax of 2^f on [-0.5, 0.5], relative error 7.5e-8.
    static F exp2(F x) {
        const F n = V::round(x), f = V::sub(x, n);
        F poly = V::set(1.3276472e-3f);
        poly = V::fma(poly, f, V::set(9.6755413e-3f));
        poly = V::fma(poly, f, V::set(5.5507133e-2f));
        poly = V::fma(poly, f, V::set(2.4022120e-1f));
        poly = V::fma(poly, f, V::set(6.9314697e-1f));
        poly = V::fma(poly, f, V::set(1.0000001f));
        return V::timesPower(poly, n, x);
    }

    // Odd polynomial below 0.65, else from the exponential.
    static F tanh(F x) {
        const F size = V::max(x, V::sub(V::set(0), x)), u = V::mul(x, x);
        F poly = V::set(-5.5286340e-3f);
        poly = V::fma(poly, u, V::set(2.0483316e-2f));
        poly = V::fma(poly, u, V::set(-5.3692968e-2f));
        poly = V::fma(poly, u, V::set(1.3330900e-1f));
        poly = V::fma(poly, u, V::set(-3.3333263e-1f));
        const F small = V::fma(V::mul(x, u), poly, x);
        const F power = exp2(V::min(V::set(64), V::mul(size, V::set(2.8853901f))));
        const F large = V::sub(V::set(1), V::div(V::set(2), V::add(power, V::set(1))));
        const F sign = V::select(V::greater(V::set(0), x), V::sub(V::set(0), large), large);
        return V::select(V::greater(V::set(0.65f), size), small, sign);
    }

    static F logit(F score, Factor factor, F high, F low) {
        const F coarse = V::shift(score, V::set(factor.high), high);
        return V::add(coarse, V::fma(score, V::set(factor.low), low));
    }

    static void readRow(const Source& rows, int64_t index, float* out) {
        const char* from = rows.data + index * rows.strideBytes;
        const int bytes = rows.dtype == FV_F32 ? 4 : 2;
        int i = 0;
        for (; i + W <= rows.dim; i += W) V::store(out + i, V::widen(from + i * bytes, rows.dtype));
        if (i == rows.dim) return;
        alignas(64) char rest[4 * W] = {};
        float wide[W];
        memcpy(rest, from + i * bytes, static_cast<size_t>((rows.dim - i) * bytes));
        V::store(wide, V::widen(rest, rows.dtype));
        for (int j = 0; i + j < rows.dim; ++j) out[i + j] = wide[j];
    }

    // Row as words of depth; returns their number.
    static int readWords(const Source& rows, bool pairs, int64_t index, float* words) {
        if (!pairs) {
            readRow(rows, index, words);
            return rows.dim;
        }
        const int depth = (rows.dim + 1) / 2;
        words[depth - 1] = 0;
        memcpy(words, rows.data + index * rows.strideBytes, static_cast<size_t>(rows.dim) * 2);
        return depth;
    }

    // W rows of words become columns: put(k, lanes) receives word k of every row.
    template <class Put>
    static void transposeRows(const float (*words)[kMaxHead], int depth, const Put& put) {
        for (int k = 0; k < depth; k += W) {
            F lanes[W];
            for (int i = 0; i < W; ++i) lanes[i] = V::load(words[i] + k);
            V::transpose(lanes);
            for (int i = 0; i < W && k + i < depth; ++i) put(k + i, lanes[i]);
        }
    }

    // Reads W rows, of which the first `count` exist; absent ones are 0, and so is what lies behind a row.
    template <class IndexOf>
    static void readRows(const Source& rows, bool pairs, int count, const IndexOf& indexOf,
                         float (*words)[kMaxHead]) {
        for (int i = 0; i < W; ++i) {
            const int used = i < count ? readWords(rows, pairs, indexOf(i), words[i]) : 0;
            const int padded = (rows.dim + W - 1) / W * W;
            if (used < padded) memset(words[i] + used, 0, static_cast<size_t>(padded - used) * sizeof(float));
        }
    }

    static void packPanel(const Source& rows, bool pairs, int64_t first, int count, float* panel) {
        alignas(64) float words[W][kMaxHead];
        const int depth = pairs ? (rows.dim + 1) / 2 : rows.dim;
        for (int column = 0; column < P; column += W) {
            readRows(
                rows, pairs, count - column, [&](int i) { return first + column + i; }, words);
            transposeRows(words, depth, [&](int k, F lanes) { V::store(panel + k * P + column, lanes); });
        }
    }

    static void packTile(const Source& rows, bool pairs, const int32_t* index, int count, float* tile) {
        alignas(64) float words[W][kMaxHead];
        const int depth = pairs ? (rows.dim + 1) / 2 : rows.dim;
        readRows(
            rows, pairs, count, [&](int i) { return index[i]; }, words);
        transposeRows(words, depth, [&](int k, F lanes) { V::storeRows(tile + k * R, lanes); });
    }

    struct FloatDot {
        static F dot(F acc, F column, F line) { return V::fma(column, line, acc); }
    };

    // R lines x vectors of columns, all accumulators in registers.
    template <class Dot, int vectors>
    static void panelScores(const float* lines, const float* panel, int depth, float* tile) {
        F acc[R][vectors];
        FOVEA_UNROLL
        for (int r = 0; r < R; ++r) {
            FOVEA_UNROLL
            for (int v = 0; v < vectors; ++v) acc[r][v] = V::set(0);
        }
        for (int k = 0; k < depth; ++k) {
            F column[vectors];
            FOVEA_UNROLL
            for (int v = 0; v < vectors; ++v) column[v] = V::load(panel + k * P + v * W);
            FOVEA_UNROLL
            for (int r = 0; r < R; ++r) {
                const F line = V::set(lines[k * R + r]);
                FOVEA_UNROLL
                for (int v = 0; v < vectors; ++v) acc[r][v] = Dot::dot(acc[r][v], column[v], line);
            }
        }
        FOVEA_UNROLL
        for (int r = 0; r < R; ++r) {
            FOVEA_UNROLL
            for (int v = 0; v < vectors; ++v) V::store(tile + r * kBlock + v * W, acc[r][v]);
        }
    }

    template <class Dot>
    static void scores(const float* lines, const float* panels, int depth, int begin, int end, float* tile) {
        int column = begin;
        for (; column + P <= end; column += P) {
            panelScores<Dot, N>(lines, panels + static_cast<int64_t>(column) * depth, depth, tile + column);
        }
        const float* panel = panels + static_cast<int64_t>(column) * depth;
        if (N > 2 && end - column == 2 * W) panelScores<Dot, 2>(lines, panel, depth, tile + column);
        if (end - column == W) panelScores<Dot, 1>(lines, panel, depth, tile + column);
    }

    template <int vectors>
    static void addPanel(const float* tile, int begin, int end, const float* values, float* out, int stride) {
        F acc[R][vectors];
        FOVEA_UNROLL
        for (int r = 0; r < R; ++r) {
            FOVEA_UNROLL
            for (int v = 0; v < vectors; ++v) acc[r][v] = V::load(out + r * stride + v * W);
        }
        for (int j = begin; j < end; ++j) {
            F value[vectors];
            FOVEA_UNROLL
            for (int v = 0; v < vectors; ++v) value[v] = V::load(values + j * vectors * W + v * W);
            FOVEA_UNROLL
            for (int r = 0; r < R; ++r) {
                const F p = V::set(tile[r * kBlock + j]);
                FOVEA_UNROLL
                for (int v = 0; v < vectors; ++v) acc[r][v] = V::fma(value[v], p, acc[r][v]);
            }
        }
        FOVEA_UNROLL
        for (int r = 0; r < R; ++r) {
            FOVEA_UNROLL
            for (int v = 0; v < vectors; ++v) V::store(out + r * stride + v * W, acc[r][v]);
        }
    }

    static void addValues(const float* tile, int begin, int end, const float* values, int vectors, float* acc,
                          int stride) {
        if (vectors == 3) addPanel<3>(tile, begin, end, values, acc, stride);
        if (vectors == 2) addPanel<2>(tile, begin, end, values, acc, stride);
        if (vectors == 1) addPanel<1>(tile, begin, end, values, acc, stride);
    }

    static void scale(float* row, int begin, int end, float factor) {
        const F by = V::set(factor);
        for (int i = begin; i < end; i += W) V::store(row + i, V::mul(V::load(row + i), by));
    }

    static void softcap(float* row, int begin, int end, float inner, float outer) {
        const F in = V::set(inner), out = V::set(outer);
        for (int i = begin; i < end; i += W)
            V::store(row + i, V::mul(out, tanh(V::mul(in, V::load(row + i)))));
    }

    static void hide(float* row, int begin, int end, const float* mask) {
        const F hidden = V::set(kHidden), zero = V::set(0);
        for (int i = begin; i < end; i += W) {
            V::store(row + i, V::select(V::greater(zero, V::load(mask + i)), hidden, V::load(row + i)));
        }
    }

    static float largest(const float* row, int begin, int end) {
        F most = V::set(kHidden);
        for (int i = begin; i < end; i += W) most = V::max(V::load(row + i), most);
        return V::largestLane(most);
    }

    static int lowestBit(unsigned bits) {
#ifdef __GNUC__
        return __builtin_ctz(bits);
#else
        int place = 0;
        for (; !(bits & 1); bits >>= 1) ++place;
        return place;
#endif
    }

    static int find(const float* row, int begin, int end, float value) {
        for (int i = begin; i < end; i += W) {
            const F cells = V::load(row + i), wanted = V::set(value);
            const unsigned other = V::bits(V::greater(cells, wanted)) | V::bits(V::greater(wanted, cells));
            const unsigned same = ~other & ((1u << W) - 1);
            if (same) return i + lowestBit(same);
        }
        return end;
    }

    static int above(const float* row, int begin, int end, float limit, int32_t* found) {
        const F most = V::set(limit);
        int count = 0;
        for (int i = begin; i < end; i += W) {
            unsigned bits = V::bits(V::greater(V::load(row + i), most));
            while (bits) {
                found[count++] = i + lowestBit(bits);
                bits &= bits - 1;
            }
        }
        return count;
    }

    static void probLanes(float* row, int begin, int end, Factor factor, Shift shift, float* lanes) {
        const F high = V::set(shift.high), low = V::set(-shift.low);
        F sum = V::load(lanes), entropy = V::load(lanes + W), most = V::load(lanes + 2 * W);
        for (int i = begin; i < end; i += W) {
            const F x = logit(V::load(row + i), factor, high, low), p = exp2(x);
            V::store(row + i, p);
            sum = V::add(sum, p);
            entropy = V::fma(p, x, entropy);
            most = V::max(p, most);
        }
        V::store(lanes, sum);
        V::store(lanes + W, entropy);
        V::store(lanes + 2 * W, most);
    }

    static RowSums probs(float* row, int begin, int end, Factor factor, Shift shift) {
        alignas(64) float lanes[3 * W] = {};
        probLanes(row, begin, end, factor, shift, lanes);
        return {V::sumLanes(V::load(lanes)), V::sumLanes(V::load(lanes + W))};
    }

    static void columnLogs(float* row, int begin, int end, Factor factor, const float* high,
                           const float* low) {
        for (int i = begin; i < end; i += W) {
            const F score = V::load(row + i), minus = V::sub(V::set(0), V::load(low + i));
            const F x =
                V::max(V::set(-1e29f), logit(score, factor, V::load(high + i), minus));  // above kHidden
            V::store(row + i, V::select(V::greater(score, V::set(kHidden)), x, V::set(kHidden)));
        }
    }

    static void columnProbs(float* row, int begin, int end, Factor factor, const float* high,
                            const float* low) {
        for (int i = begin; i < end; i += W) {
            const F minus = V::sub(V::set(0), V::load(low + i));
            V::store(row + i, exp2(logit(V::load(row + i), factor, V::load(high + i), minus)));
        }
    }

    static void fold(const float* tile, int rows, int begin, int end, int firstRow, Fold out) {
        for (int i = begin; i < end; i += W) {
            F sum = V::set(0), most = V::set(0), at = V::set(-1);
            for (int r = 0; r < rows; ++r) {
                const F p = V::load(tile + r * kBlock + i);
                sum = V::add(sum, p);
                if (out.row)
                    at = V::select(V::greater(p, most), V::set(static_cast<float>(firstRow + r)), at);
                most = V::max(p, most);
            }
            V::store(out.sum + i, sum);
            V::store(out.max + i, most);
            if (out.row) V::store(out.row + i, at);
        }
    }

    // fold and addFold in one, without rows of maxima; either target may have null sums.
    static void foldInto(const float* tile, int rows, int begin, int end, Fold first, Fold second) {
        for (int i = begin; i < end; i += W) {
            F sum = V::set(0), most = V::set(0);
            for (int r = 0; r < rows; ++r) {
                const F p = V::load(tile + r * kBlock + i);
                sum = V::add(sum, p);
                most = V::max(p, most);
            }
            const auto addTo = [&](const Fold& total) {
                if (!total.sum) return;
                V::store(total.sum + i, V::add(V::load(total.sum + i), sum));
                V::store(total.max + i, V::max(most, V::load(total.max + i)));
            };
            addTo(first);
            addTo(second);
        }
    }

    static void addFold(Fold total, Fold part, int begin, int end) {
        for (int i = begin; i < end; i += W) {
            V::store(total.sum + i, V::add(V::load(total.sum + i), V::load(part.sum + i)));
            const F old = V::load(total.max + i), now = V::load(part.max + i);
            if (total.row) {
                V::store(total.row + i,
                         V::select(V::greater(now, old), V::load(part.row + i), V::load(total.row + i)));
            }
            V::store(total.max + i, V::max(now, old));
        }
    }

    static float sumRange(const float* row, int begin, int end) {
        F sum = V::set(0);
        int i = begin;
        for (; i + W <= end; i += W) sum = V::add(sum, V::load(row + i));
        if (i < end) sum = V::add(sum, V::loadPart(row + i, end - i));
        return V::sumLanes(sum);
    }

    static float maxRange(const float* row, int begin, int end) {
        F most = V::set(0);
        int i = begin;
        for (; i + W <= end; i += W) most = V::max(V::load(row + i), most);
        if (i < end) most = V::max(V::loadPart(row + i, end - i), most);
        return V::largestLane(most);
    }

    static void scaleRange(float* row, int begin, int end, float factor) {
        const F by = V::set(factor);
        int i = begin;
        for (; i + W <= end; i += W) V::store(row + i, V::mul(V::load(row + i), by));
        for (; i < end; ++i) row[i] *= factor;
    }

    static void dots(const float* row, int begin, int end, const float* x, int count, float* out) {
        for (int c = 0; c < count; ++c) {
            F sum = V::set(0);
            for (int i = begin; i < end; i += W)
                sum = V::fma(V::load(row + i), V::load(x + c * kBlock + i), sum);
            out[c] = V::sumLanes(sum);
        }
    }

    static void relevance(float* row, const float* other, int begin, int end, fv_relevance_part part) {
        const F zero = V::set(0);
        for (int i = begin; i < end; i += W) {
            // A cell of probability 0 counts 0 whatever lies in a hidden key's value.
            const F p = V::load(row + i);
            F e = V::select(V::greater(p, zero), V::mul(p, V::load(other + i)), p);
            if (part == FV_POSITIVE) e = V::max(zero, e);
            if (part == FV_ABSOLUTE) e = V::max(V::sub(zero, e), e);
            V::store(row + i, e);
        }
    }

    static void join(float* into, const float* from, int begin, int end, fv_head_reduce heads) {
        for (int i = begin; i < end; i += W) {
            const F a = V::load(into + i), b = V::load(from + i);
            V::store(into + i, heads == FV_HEADS_MEAN  ? V::add(a, b)
                               : heads == FV_HEADS_MAX ? V::max(b, a)
                                                       : V::min(b, a));
        }
    }
};

/// The table of a vector type; `Pair` multiplies bf16 pairs and is FloatDot where there is none.
template <class V, class Pair>
constexpr Level makeLevel(bool pairs) {
    using P = Primitives<V>;
    return {V::kRows,
            P::P,
            V::kWidth,
            pairs,
            P::packPanel,
            P::packTile,
            P::readRow,
            P::template scores<typename P::FloatDot>,
            P::template scores<Pair>,
            P::addValues,
            P::scale,
            P::softcap,
            P::hide,
            P::largest,
            P::find,
            P::above,
            P::probs,
            P::probLanes,
            P::columnProbs,
            P::columnLogs,
            P::fold,
            P::foldInto,
            P::addFold,
            P::sumRange,
            P::maxRange,
            P::scaleRange,
            P::dots,
            P::relevance,
            P::join};
}

}  // namespace fovea::kernels::cpu
