#include "attention/explicit_requests.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>

#include "attention/probabilities.h"

namespace fovea {
namespace {

template <typename Index>
at::Tensor indexTensor(const std::vector<Index>& values, const at::Device& device) {
    return at::tensor(std::vector<std::int64_t>(values.begin(), values.end()), at::kLong).to(device);
}

at::Tensor joined(const std::vector<at::Tensor>& parts, std::int64_t axis) {
    return parts.size() == 1 ? parts.front() : at::cat(parts, axis);
}

at::Tensor fuse(const at::Tensor& probs, HeadFusion fusion) {
    switch (fusion) {
        case HeadFusion::Mean: return at::mean(probs, {0});
        case HeadFusion::Max: return at::amax(probs, {0});
        case HeadFusion::Min: return at::amin(probs, {0});
    }
    return {};
}

// Calls `use(probs, first row)` with the probabilities of successive row blocks, [heads, rows, keys of the
// block].
template <typename Use>
void forRows(const ExplicitSource& source, const SiteBlock& block, Use use) {
    const at::NoGradGuard noGrad;
    const auto [low, high] = std::minmax_element(block.heads.begin(), block.heads.end());
    const std::int64_t heads = *high - *low + 1;
    const bool all = static_cast<std::int64_t>(block.heads.size()) == heads &&
                     std::is_sorted(block.heads.begin(), block.heads.end());
    std::vector<std::int64_t> within;
    for (const std::int64_t head : block.heads) within.push_back(head - *low);
    const std::int64_t step =
        rowsPerBlock(heads, static_cast<std::int64_t>(source.record.keyTokens.size()));
    for (std::int64_t begin = block.queryBegin; begin < block.queryEnd; begin += step) {
        const RowBlock rows{*low, *high + 1, begin, std::min(begin + step, block.queryEnd)};
        at::Tensor probs = recordedProbabilities(source.op, source.record, rows, source.weights)
                               .narrow(2, block.keyBegin, block.keyEnd - block.keyBegin);
        if (!all) probs = probs.index_select(0, indexTensor(within, probs.device()));
        use(probs, begin);
    }
}

// Cells of one axis shown by pixels: pixel x covers [x * cells, (x + 1) * cells) in units of 1 / pixels of a
// cell.
struct Axis {
    std::int64_t cells, pixels;

    std::int64_t firstPixel(std::int64_t cell) const { return cell * pixels / cells; }
    std::int64_t endPixel(std::int64_t cell) const {
        return std::min(pixels, ((cell + 1) * pixels + cells - 1) / cells);
    }
    // The part of a cell that lies in a pixel, 0 to 1.
    double part(std::int64_t pixel, std::int64_t cell) const {
        const std::int64_t begin = std::max(pixel * cells, cell * pixels),
                           end = std::min((pixel + 1) * cells, (cell + 1) * pixels);
        return static_cast<double>(end - begin) / static_cast<double>(pixels);
    }
};

class Picture {
public:
    Picture(const SiteBlock& block, const TileRequest& request)
        : m_rows{block.queryEnd - block.queryBegin, request.height},
          m_columns{block.keyEnd - block.keyBegin, request.width}, m_pooling(request.pooling),
          m_sums(static_cast<std::size_t>(request.height) * static_cast<std::size_t>(request.width)) {}

    void add(std::int64_t row, const float* cells) {
        for (std::int64_t y = m_rows.firstPixel(row); y < m_rows.endPixel(row); ++y)
            for (std::int64_t k = 0; k < m_columns.cells; ++k)
                for (std::int64_t x = m_columns.firstPixel(k); x < m_columns.endPixel(k); ++x) {
                    double& pixel = m_sums[static_cast<std::size_t>(y * m_columns.pixels + x)];
                    const double value = static_cast<double>(cells[k]);
                    pixel = m_pooling == TilePooling::Max
                                ? std::max(pixel, value)
                                : pixel + value * m_rows.part(y, row) * m_columns.part(x, k);
                }
    }
    void write(float* out) const {
        const double area = static_cast<double>(m_rows.cells) / static_cast<double>(m_rows.pixels) *
                            static_cast<double>(m_columns.cells) / static_cast<double>(m_columns.pixels);
        for (std::size_t i = 0; i < m_sums.size(); ++i)
            out[i] = static_cast<float>(m_pooling == TilePooling::Mean ? m_sums[i] / area : m_sums[i]);
    }

private:
    Axis m_rows, m_columns;
    TilePooling m_pooling;
    std::vector<double> m_sums;
};

// y^T of the rows [begin, begin + rows), in the probabilities' type: [columns, rows]. `values` outlives it.
at::Tensor weightsOf(const Array& y, std::int64_t begin, const at::Tensor& probs) {
    const at::Tensor all = at::from_blob(const_cast<float*>(y.values.data()), y.shape, at::kFloat);
    return all.narrow(0, begin, probs.size(1)).to(probs.device(), probs.scalar_type()).transpose(0, 1);
}

at::Tensor partOf(const at::Tensor& product, RelevancePart part) {
    switch (part) {
        case RelevancePart::Positive: return at::clamp_min(product, 0);
        case RelevancePart::Absolute: return product.abs();
        case RelevancePart::Signed: break;
    }
    return product;
}

// Sum over row blocks of y^T E, with E made of the probabilities by `map`.
template <typename Map>
Array collected(const ExplicitSource& source, const SiteBlock& block, const Array& y, Map map) {
    at::Tensor sum;
    forRows(source, block, [&](const at::Tensor& probs, std::int64_t begin) {
        const at::Tensor one =
            at::matmul(weightsOf(y, begin, probs), at::mean(map(probs, begin), {0})).to(at::kDouble);
        sum = sum.defined() ? sum + one : one;
    });
    return toArray(sum.transpose(0, 1));
}

}  // namespace

Array explicitBlock(const ExplicitSource& source, const SiteBlock& block, std::optional<HeadFusion> fusion) {
    std::vector<at::Tensor> parts;
    forRows(source, block, [&](const at::Tensor& probs, std::int64_t) {
        parts.push_back(fusion ? fuse(probs, *fusion) : probs);
    });
    return toArray(joined(parts, fusion ? 0 : 1));
}

Array explicitRows(const ExplicitSource& source, const std::vector<int>& rows) {
    const at::NoGradGuard noGrad;
    const std::int64_t heads = source.record.storedProbs.defined() ? source.record.storedProbs.size(0)
                                                                   : source.record.call.query.size(1);
    std::vector<at::Tensor> parts;
    for (const int row : rows)
        parts.push_back(
            recordedProbabilities(source.op, source.record, {0, heads, row, row + 1}, source.weights));
    return toArray(joined(parts, 1));
}

Array explicitColumns(const ExplicitSource& source, const SiteBlock& whole, const std::vector<int>& columns) {
    std::vector<at::Tensor> parts;
    forRows(source, whole, [&](const at::Tensor& probs, std::int64_t) {
        parts.push_back(probs.index_select(2, indexTensor(columns, probs.device())));
    });
    return toArray(joined(parts, 1));
}

Array explicitTile(const ExplicitSource& source, const SiteBlock& block, const TileRequest& request) {
    const auto planes = request.fusion ? std::size_t{1} : block.heads.size();
    std::vector<Picture> pictures(planes, Picture(block, request));
    forRows(source, block, [&](const at::Tensor& probs, std::int64_t begin) {
        const at::Tensor maps = request.fusion ? fuse(probs, *request.fusion).unsqueeze(0) : probs;
        const at::Tensor plain = maps.to(at::kCPU, at::kFloat).contiguous();
        const std::int64_t rows = plain.size(1), keys = plain.size(2);
        for (std::size_t plane = 0; plane < planes; ++plane)
            for (std::int64_t row = 0; row < rows; ++row)
                pictures[plane].add(begin - block.queryBegin + row,
                                    plain.const_data_ptr<float>() +
                                        (static_cast<std::int64_t>(plane) * rows + row) * keys);
    });
    Array out = request.fusion ? Array({request.height, request.width})
                               : Array({static_cast<std::int64_t>(planes), request.height, request.width});
    for (std::size_t plane = 0; plane < planes; ++plane)
        pictures[plane].write(out.values.data() + plane * (out.values.size() / planes));
    return out;
}

Array explicitGroupMass(const ExplicitSource& source, const SiteBlock& whole,
                        const std::vector<std::vector<int>>& groups) {
    std::vector<at::Tensor> parts;
    forRows(source, whole, [&](const at::Tensor& probs, std::int64_t) {
        std::vector<at::Tensor> sums;
        for (const std::vector<int>& group : groups)
            sums.push_back(probs.index_select(2, indexTensor(group, probs.device())).sum({-1}, true));
        parts.push_back(joined(sums, 2));
    });
    return toArray(joined(parts, 1));
}

ColumnTop explicitColumnTop(const ExplicitSource& source, const SiteBlock& whole, int k) {
    // Of the best so far and the rows of a block the best go on; earlier rows come first among equals.
    at::Tensor values, rows;  // [heads, key, at most k]
    forRows(source, whole, [&](const at::Tensor& probs, std::int64_t begin) {
        at::Tensor more = probs.transpose(1, 2);
        at::Tensor indices = at::arange(begin, begin + more.size(2), at::TensorOptions(at::kLong).device(more.device()))
                                 .expand(more.sizes());
        if (values.defined()) {
            more = at::cat({values, more}, 2);
            indices = at::cat({rows, indices}, 2);
        }
        const at::Tensor order =
            std::get<1>(more.sort(true, 2, true)).narrow(2, 0, std::min<std::int64_t>(k, more.size(2)));
        values = more.gather(2, order);
        rows = indices.gather(2, order);
    });
    const at::Tensor found = at::where(values > 0, rows, -1);
    const std::int64_t missing = k - values.size(2);
    ColumnTop out{Array({values.size(0), values.size(1), k}), Array({values.size(0), values.size(1), k})};
    const auto padded = [&](const at::Tensor& tensor, double with) {
        if (missing == 0) return toArray(tensor);
        const at::Tensor rest =
            at::full({tensor.size(0), tensor.size(1), missing}, with, tensor.options());
        return toArray(at::cat({tensor, rest}, 2));
    };
    return {padded(found, -1), padded(values, 0)};
}

Array explicitCollect(const ExplicitSource& source, const SiteBlock& block, const Array& y) {
    return collected(source, block, y, [](const at::Tensor& probs, std::int64_t) { return probs; });
}

Array explicitRelevance(const ExplicitSource& source, const SiteBlock& block, RelevancePart part,
                        const Array& y) {
    return collected(source, block, y, [&](const at::Tensor& probs, std::int64_t begin) {
        SiteBlock rows = block;
        rows.queryBegin = begin;
        rows.queryEnd = begin + probs.size(1);
        return partOf(probs * probabilityGradient(source.record, rows), part);
    });
}

std::vector<double> explicitRowSums(const ExplicitSource& source, const SiteBlock& block) {
    std::vector<double> sums;
    forRows(source, block, [&](const at::Tensor& probs, std::int64_t) {
        const Array part = toArray(at::mean(probs.sum({-1}), {0}));
        sums.insert(sums.end(), part.values.begin(), part.values.end());
    });
    return sums;
}

at::Tensor probabilityGradient(const SiteRecord& record, const SiteBlock& block) {
    const at::NoGradGuard noGrad;
    const at::Tensor gradient = record.outputGradient[0], values = record.call.value[0];
    const std::int64_t group = gradient.size(0) / values.size(0);
    std::vector<std::int64_t> keyHeads;
    for (const std::int64_t head : block.heads) keyHeads.push_back(head / group);
    const at::Device device = gradient.device();
    const at::Tensor rows = gradient.narrow(1, block.queryBegin, block.queryEnd - block.queryBegin)
                                .index_select(0, indexTensor(block.heads, device));
    const at::Tensor columns = values.narrow(1, block.keyBegin, block.keyEnd - block.keyBegin)
                                   .index_select(0, indexTensor(keyHeads, device));
    return at::matmul(rows.to(at::kFloat), columns.to(at::kFloat).transpose(1, 2));
}

}  // namespace fovea
