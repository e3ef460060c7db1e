#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tanh.h>

#include <limits>

#include "attention/attention_operator.h"
#include "attention/visibility.h"
#include "fovea/catalog.h"

namespace fovea {
namespace {

at::Tensor widened(const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat);
}

// The key heads that serve query heads [begin, end), repeated where one serves several.
at::Tensor keysOf(const AttentionCall& call, std::int64_t begin, std::int64_t end) {
    const std::int64_t group = call.query.size(1) / call.key.size(1);
    const at::Tensor keys = call.key[0];
    if (group == 1) return keys.narrow(0, begin, end - begin);
    return keys.index_select(0, at::arange(begin, end, keys.options().dtype(at::kLong)).floor_divide(group));
}

// The part of a broadcastable bias that belongs to a block of rows, [1 or heads, 1 or rows, keys].
at::Tensor biasOf(const AttentionCall& call, const RowBlock& block) {
    at::Tensor bias = biasOfRankFour(call)[0];
    if (bias.size(0) > 1) bias = bias.narrow(0, block.headBegin, block.headEnd - block.headBegin);
    if (bias.size(1) > 1) bias = bias.narrow(1, block.queryBegin, block.queryEnd - block.queryBegin);
    return widened(bias);
}

class Dense final : public AttentionOperator {
public:
    bool followsCall() const override { return true; }

    at::Tensor logits(const AttentionCall& call, const RowBlock& block) const override {
        const at::Tensor queries =
            widened(call.query[0]
                        .narrow(0, block.headBegin, block.headEnd - block.headBegin)
                        .narrow(1, block.queryBegin, block.queryEnd - block.queryBegin));
        const at::Tensor keys = widened(keysOf(call, block.headBegin, block.headEnd));
        at::Tensor logits = at::matmul(queries * call.scale, keys.transpose(-2, -1));
        if (call.softcap > 0) logits = at::tanh(logits / call.softcap) * call.softcap;
        if (call.bias.defined()) logits = logits + biasOf(call, block);
        if (call.causal)
            logits = logits.masked_fill(hiddenKeys(call, {block.queryBegin, block.queryEnd, 0, logits.size(-1)}),
                                        -std::numeric_limits<double>::infinity());
        if (call.segments) {
            const at::Tensor& segment = call.segments->segmentOf();
            const at::Tensor rows = segment.narrow(0, block.queryBegin, block.queryEnd - block.queryBegin);
            logits = logits.masked_fill(rows.unsqueeze(1).ne(segment.unsqueeze(0)),
                                        -std::numeric_limits<double>::infinity());
        }
        return logits;
    }
};

}  // namespace

std::shared_ptr<const AttentionOperator> makeDenseOperator() { return std::make_shared<Dense>(); }

void add_dense(OperatorCatalog& catalog) {
    catalog.add({{"dense", "Dense softmax attention",
                  "Every query attends to every key that its mask allows (Vaswani et al. 2017, eq. 1).", {}},
                 std::make_shared<Dense>()});
}

}  // namespace fovea
