#include "nn/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fovea {
namespace {

at::Tensor exponents(std::int64_t dim) {
    return at::arange(0, dim, 2, at::TensorOptions(at::kFloat)) / static_cast<double>(dim);
}

at::Tensor plainFrequencies(double theta, std::int64_t dim) {
    return at::reciprocal(at::pow(theta, exponents(dim)));
}

// theta ((f L / M) - (f - 1))^(D / (D - 2)) for a text of length L > M, in fp32 as the reference has it there.
at::Tensor dynamicFrequencies(const RopeSpec& spec, std::int64_t length) {
    if (length <= spec.maxPositions) return plainFrequencies(spec.theta, spec.dim);
    const auto dim = static_cast<double>(spec.dim);
    const at::Tensor ratio = at::tensor(static_cast<float>(length)) * spec.factor / static_cast<double>(spec.maxPositions);
    const at::Tensor theta = at::pow(ratio - (spec.factor - 1), dim / (dim - 2)) * spec.theta;
    return at::reciprocal(at::pow(theta, exponents(spec.dim)));
}

at::Tensor llama3Frequencies(const RopeSpec& spec) {
    const at::Tensor plain = plainFrequencies(spec.theta, spec.dim);
    const auto context = static_cast<double>(spec.originalPositions);
    const at::Tensor length = at::reciprocal(plain) * (2 * std::numbers::pi);
    const double longest = context / spec.lowFrequency, shortest = context / spec.highFrequency;
    const at::Tensor stretched = at::where(length > longest, plain / spec.factor, plain);
    const at::Tensor smooth = (at::reciprocal(length) * context - spec.lowFrequency) / (spec.highFrequency - spec.lowFrequency);
    const at::Tensor mixed = (1 - smooth) * stretched / spec.factor + smooth * stretched;
    const at::Tensor medium = (length < shortest).logical_or(length > longest).logical_not();
    return at::where(medium, mixed, stretched);
}

at::Tensor yarnFrequencies(const RopeSpec& spec) {
    const auto dim = static_cast<double>(spec.dim);
    const auto place = [&](double rotations) {
        const double turns = static_cast<double>(spec.originalPositions) / (rotations * 2 * std::numbers::pi);
        return dim * std::log(turns) / (2 * std::log(spec.theta));
    };
    double low = place(spec.betaFast), high = place(spec.betaSlow);
    if (spec.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0);
    high = std::min(high, dim - 1);
    if (low == high) high += 0.001;
    const at::Tensor steps = at::arange(spec.dim / 2, at::TensorOptions(at::kFloat));
    const at::Tensor kept = 1 - at::clamp((steps - low) / (high - low), 0, 1);
    const at::Tensor powers = at::pow(spec.theta, exponents(spec.dim));
    return at::reciprocal(powers * spec.factor) * (1 - kept) + at::reciprocal(powers) * kept;
}

at::Tensor longFrequencies(const RopeSpec& spec, std::int64_t length) {
    const std::vector<double>& factors = length > spec.originalPositions ? spec.longFactors : spec.shortFactors;
    const at::Tensor stretch = at::tensor(factors, at::kDouble).to(at::kFloat);
    return at::reciprocal(stretch * at::pow(spec.theta, exponents(spec.dim)));
}

at::Tensor frequencies(const RopeSpec& spec, std::int64_t length) {
    switch (spec.kind) {
        case RopeKind::Linear:
            return plainFrequencies(spec.theta, spec.dim) / spec.factor;
        case RopeKind::Dynamic:
            return dynamicFrequencies(spec, length);
        case RopeKind::Llama3:
            return llama3Frequencies(spec);
        case RopeKind::Yarn:
            return yarnFrequencies(spec);
        case RopeKind::LongRope:
            return longFrequencies(spec, length);
        case RopeKind::Default:
        case RopeKind::None:
            break;
    }
    return plainFrequencies(spec.theta, spec.dim);
}

// Which position row every frequency reads.
at::Tensor rowOfFrequency(const RopeSpec& spec) {
    const std::int64_t half = spec.dim / 2;
    std::vector<std::int64_t> rows(static_cast<std::size_t>(half), 0);
    if (spec.sectionOrder == RopeSections::Interleaved) {
        for (std::int64_t row = 1; row < 3; ++row) {
            const std::int64_t end = std::min(half, 3 * spec.sections[static_cast<std::size_t>(row)]);
            for (std::int64_t i = row; i < end; i += 3) rows[static_cast<std::size_t>(i)] = row;
        }
    } else {
        std::int64_t at = 0;
        for (std::size_t section = 0; section < spec.sections.size(); ++section)
            for (std::int64_t i = 0; i < spec.sections[section] && at < half; ++i)
                rows[static_cast<std::size_t>(at++)] = static_cast<std::int64_t>(section % 3);
    }
    return at::tensor(rows, at::kLong);
}

}  // namespace

RotaryTable ropeTable(const RopeSpec& spec, const at::Tensor& positions, at::ScalarType dtype) {
    const bool grows = spec.kind == RopeKind::Dynamic || spec.kind == RopeKind::LongRope;
    const std::int64_t length = grows ? positions.max().item<std::int64_t>() + 1 : positions.size(-1);
    const at::Tensor frequency = frequencies(spec, length).to(positions.device());
    at::Tensor places = positions.to(at::kFloat);
    if (places.dim() == 2) {
        const at::Tensor rows = spec.sections.empty() ? at::tensor(std::vector<std::int64_t>(1, 0), at::kLong)
                                                      : rowOfFrequency(spec);
        places = places.index_select(0, rows.to(positions.device())).t();
    } else {
        places = places.unsqueeze(1);
    }
    const at::Tensor half = at::mul(places, frequency);
    const at::Tensor angle = at::cat({half, half}, -1);
    at::Tensor cos = at::cos(angle), sin = at::sin(angle);
    if (spec.attentionFactor != 1) {
        cos = cos * spec.attentionFactor;
        sin = sin * spec.attentionFactor;
    }
    return {cos.to(dtype), sin.to(dtype)};
}

}  // namespace fovea
