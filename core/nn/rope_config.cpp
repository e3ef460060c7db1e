// Rotary parameters in the spellings of every era of config.json.
#include <cmath>

#include "nn/decoder_config.h"

namespace fovea {
namespace {

RopeKind kindOf(const ConfigView& config, const std::string& name) {
    if (name == "default" || name == "mrope") return RopeKind::Default;
    if (name == "linear") return RopeKind::Linear;
    if (name == "dynamic") return RopeKind::Dynamic;
    if (name == "llama3") return RopeKind::Llama3;
    if (name == "yarn") return RopeKind::Yarn;
    if (name == "longrope") return RopeKind::LongRope;
    config.fail("rope_type", "one of default, linear, dynamic, llama3, yarn, longrope", "\"" + name.substr(0, 60) + "\"");
}

// The set of parameters: rope_scaling counts before rope_parameters; both may hold one set for each kind of layer.
ConfigView parametersOf(const ConfigView& config, std::string_view part) {
    const ConfigView given = config.section("rope_scaling|rope_parameters");
    if (part.empty() || !given.has(part)) return given;
    return given.section(part);
}

double yarnAttention(const RopeSpec& rope, const ConfigView& parameters) {
    if (parameters.has("attention_factor")) return parameters.number("attention_factor", 1, {1e-6, 1e6});
    const auto temperature = [&](double scale) { return rope.factor <= 1 ? 1.0 : 0.1 * scale * std::log(rope.factor) + 1.0; };
    const double scale = parameters.number("mscale", 0), all = parameters.number("mscale_all_dim", 0);
    return scale != 0 && all != 0 ? temperature(scale) / temperature(all) : temperature(1);
}

// The factors of every frequency, one for each of `count`.
std::vector<double> factorsOf(const ConfigView& parameters, const char* key, std::int64_t count) {
    std::vector<double> factors = parameters.numbers(key, {}, {1e-9, 1e9});
    if (factors.size() != static_cast<std::size_t>(count))
        parameters.fail(key, std::to_string(count) + " numbers", std::to_string(factors.size()));
    return factors;
}

void readLongRope(const ConfigView& parameters, RopeSpec& rope) {
    rope.shortFactors = factorsOf(parameters, "short_factor", rope.dim / 2);
    rope.longFactors = factorsOf(parameters, "long_factor", rope.dim / 2);
    const double grown = rope.factor <= 1 || rope.originalPositions < 2
                             ? 1.0
                             : std::sqrt(1 + std::log(rope.factor) / std::log(static_cast<double>(rope.originalPositions)));
    rope.attentionFactor = parameters.number("attention_factor", grown, {1e-6, 1e6});
}

}  // namespace

RopeSpec readRope(const ConfigView& config, std::string_view part, const RopeSpec& defaults) {
    const ConfigView parameters = parametersOf(config, part);
    RopeSpec rope = defaults;
    rope.kind = kindOf(parameters, parameters.text("rope_type|type", "default"));
    const double theta = config.number("rope_theta", defaults.theta, {1e-3, 1e12});
    rope.theta = parameters.number("rope_theta", theta, {1e-3, 1e12});
    const double share = config.number("partial_rotary_factor", 1, {0, 1});
    rope.dim = static_cast<std::int64_t>(static_cast<double>(defaults.dim) *
                                         parameters.number("partial_rotary_factor", share, {0, 1}));
    if (rope.dim < 2 || rope.dim % 2 != 0)
        parameters.fail("partial_rotary_factor", "an even number of rotated dimensions",
                        std::to_string(rope.dim) + " of " + std::to_string(defaults.dim));
    const std::int64_t trained =
        parameters.integer("original_max_position_embeddings", defaults.maxPositions, {1, std::int64_t{1} << 40});
    rope.originalPositions = config.integer("original_max_position_embeddings", trained, {1, std::int64_t{1} << 40});
    const bool needsFactor = rope.kind != RopeKind::Default && rope.kind != RopeKind::Yarn && rope.kind != RopeKind::LongRope;
    if (needsFactor && !parameters.has("factor")) parameters.fail("factor", "a number", "none");
    const double stretch = static_cast<double>(rope.maxPositions) / static_cast<double>(rope.originalPositions);
    const bool stretches = rope.kind == RopeKind::Yarn || rope.kind == RopeKind::LongRope;
    rope.factor = parameters.number("factor", stretches ? stretch : 1, {1e-6, 1e6});
    rope.lowFrequency = parameters.number("low_freq_factor", 1, {1e-6, 1e6});
    rope.highFrequency = parameters.number("high_freq_factor", 4, {1e-6, 1e6});
    if (rope.kind == RopeKind::Llama3 && rope.highFrequency <= rope.lowFrequency)
        parameters.fail("high_freq_factor", "more than low_freq_factor", std::to_string(rope.highFrequency));
    rope.betaFast = parameters.number("beta_fast", 32, {1e-6, 1e6});
    rope.betaSlow = parameters.number("beta_slow", 1, {1e-6, 1e6});
    rope.truncate = parameters.boolean("truncate", true);
    if (rope.kind == RopeKind::Yarn) rope.attentionFactor = yarnAttention(rope, parameters);
    if (rope.kind == RopeKind::LongRope) readLongRope(parameters, rope);
    if (parameters.has("mrope_section")) {
        rope.sections = parameters.integers("mrope_section", {}, {0, 4096});
        if (rope.sections.size() != 3)
            parameters.fail("mrope_section", "3 entries", std::to_string(rope.sections.size()));
    }
    if (parameters.boolean("mrope_interleaved", defaults.sectionOrder == RopeSections::Interleaved))
        rope.sectionOrder = RopeSections::Interleaved;
    return rope;
}

}  // namespace fovea
