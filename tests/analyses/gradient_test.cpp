// Gradient attributions of a tiny picture classifier against finite differences and closed forms.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "analyses/test_context.h"
#include "analyses/tiny_models.h"
#include "analyses/tiny_text.h"
#include "common/gradient_maps.h"
#include "fovea/error.h"

using namespace fovea;
using namespace fovea::test;

namespace {

struct Tiny {
    explicit Tiny(TinyModel kind = TinyModel::Classifier, const std::string& dtype = "float64")
        : model(loadTiny(kind, 1, dtype)),
          input(model->encode({.images = {tinyPicture(90, 70)}, .video = {}, .prompt = {}, .chat = {}, .tensors = {}})) {}

    std::vector<Finding> run(const std::string& id, const nlohmann::json& params = {}) const {
        return analyse(id, model, input, params);
    }
    RunResult gradient(const Objective& objective, const Perturbation& change = {}) const {
        RunSpec spec;
        spec.objective = objective;
        spec.gradients.input = true;
        spec.perturbation = change;
        return runModel(*model, *input, spec);
    }

    std::shared_ptr<const Model> model;
    std::shared_ptr<const ModelInput> input;
};

const Grid& map(const std::vector<Finding>& findings) {
    return std::get<Grid>(named(findings, "map").data);
}

double sum(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

// Numbers that a note states, in order.
std::vector<double> numbersIn(const std::string& text) {
    std::vector<double> numbers;
    for (std::size_t i = 0; i < text.size();) {
        const bool starts =
            std::isdigit(static_cast<unsigned char>(text[i])) ||
            (text[i] == '-' && i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i + 1])));
        if (!starts) {
            ++i;
            continue;
        }
        std::size_t used = 0;
        numbers.push_back(std::stod(text.substr(i), &used));
        i += used;
    }
    return numbers;
}

}  // namespace

TEST_CASE("the input gradient agrees with finite differences in random directions, for every objective") {
    const Tiny tiny;
    for (const Objective::Kind kind :
         {Objective::Kind::Logit, Objective::Kind::LogProbability, Objective::Kind::LogitDifference}) {
        Objective objective;
        objective.kind = kind;
        objective.classIndex = 2;
        objective.otherClass = 4;
        const RunResult plain = tiny.gradient(objective);
        for (const std::uint64_t seed : {1, 2, 3}) {
            Perturbation plus;
            plus.noise = 1e-4;
            plus.seed = seed;
            const RunResult moved = tiny.gradient(objective, plus);
            // Gradients at both ends average to the slope of the chord, up to third order.
            double expected = 0;
            for (std::size_t i = 0; i < plain.inputTensor.values.size(); ++i) {
                const double step = static_cast<double>(moved.inputTensor.values[i]) -
                                    static_cast<double>(plain.inputTensor.values[i]);
                expected += step * 0.5 *
                            (static_cast<double>(plain.inputGradient.values[i]) +
                             static_cast<double>(moved.inputGradient.values[i]));
            }
            CHECK(moved.objective - plain.objective == doctest::Approx(expected).epsilon(2e-3));
        }
    }
}

TEST_CASE("input_gradient: channels, pooling, geometry") {
    const Tiny tiny;
    Objective objective;
    objective.classIndex = 1;
    const Array gradient = tiny.gradient(objective).inputGradient;
    REQUIRE(gradient.shape == std::vector<std::int64_t>{3, 24, 40});
    const auto largest = tiny.run("input_gradient", {{"target", "tabby cat"}});
    const Grid& grid = map(largest);
    CHECK((grid.rows == 24 && grid.columns == 40 && grid.pixels));
    CHECK(grid.area == Rect{0, 0, 90, 70});
    CHECK(named(largest, "map").title.find("1 (Tabby Cat)") != std::string::npos);
    const auto signedSum = tiny.run("input_gradient", {{"target", "1"}, {"channels", "signed"}});
    const auto pooled =
        tiny.run("input_gradient", {{"target", "1"}, {"channels", "signed"}, {"pool", "sum"}});
    const auto means =
        tiny.run("input_gradient", {{"target", "1"}, {"channels", "signed"}, {"pool", "mean"}});
    CHECK(map(signedSum).signedValues);
    CHECK((map(pooled).rows == 3 && map(pooled).columns == 5 && !map(pooled).pixels));
    double block = 0;
    for (int y = 8; y < 16; ++y)
        for (int x = 32; x < 40; ++x) {
            double value = 0, magnitude = 0;
            for (int c = 0; c < 3; ++c) {
                const double g = static_cast<double>(gradient.at(c, y, x));
                value += g, magnitude = std::max(magnitude, std::abs(g));
            }
            CHECK(static_cast<double>(grid.at(0, y, x)) == doctest::Approx(magnitude));
            CHECK(static_cast<double>(map(signedSum).at(0, y, x)) == doctest::Approx(value));
            block += value;
        }
    CHECK(static_cast<double>(map(pooled).at(0, 1, 4)) == doctest::Approx(block).epsilon(1e-4));
    CHECK(static_cast<double>(map(means).at(0, 1, 4)) == doctest::Approx(block / 64).epsilon(1e-4));
    CHECK(std::get<TokenScores>(named(pooled, "scores").data).values.size() == 16);
}

TEST_CASE("a centre crop shows in the area of the map") {
    const Tiny tiny(TinyModel::Registers, "auto");
    const auto found = tiny.run("input_gradient");
    const Grid& grid = map(found);
    CHECK((grid.rows == 24 && grid.columns == 24));
    // 90 x 70 becomes 36 x 28, of which 24 x 24 in the middle are read.
    CHECK(grid.area.x == doctest::Approx(6 * 90.0 / 36));
    CHECK(grid.area.y == doctest::Approx(2 * 70.0 / 28));
    CHECK(grid.area.width == doctest::Approx(24 * 90.0 / 36));
    CHECK(grid.area.height == doctest::Approx(24 * 70.0 / 28));
    CHECK(named(found, "map").title.find("squared norm of") != std::string::npos);
    CHECK_THROWS_AS(tiny.run("input_gradient", {{"objective", "logit"}}), Error);
}

TEST_CASE("integrated gradients are complete, and the note says how nearly") {
    const Tiny tiny;
    for (const nlohmann::json& start :
         {nlohmann::json{{"baseline_value", 0.0}}, {{"baseline_value", -0.7}}, {{"baseline", "black"}}}) {
        nlohmann::json params = {{"target", "star"}, {"steps", 60}};
        params.update(start);
        const auto found = tiny.run("integrated_gradients", params);
        const std::vector<double> numbers = numbersIn(named(found, "map").note);
        REQUIRE(numbers.size() == 3);
        Objective objective;
        objective.classIndex = 3;
        Perturbation change;
        change.scale = 0;
        if (start.contains("baseline"))
            change.channelBaseline = tiny.input->black;
        else
            change.baseline = start["baseline_value"];
        const double difference =
            tiny.gradient(objective).objective - tiny.gradient(objective, change).objective;
        CHECK(numbers[1] == doctest::Approx(difference).epsilon(1e-4));
        CHECK(sum(map(found).values) == doctest::Approx(numbers[0]).epsilon(1e-3));
        CHECK(std::abs(numbers[2]) < 1e-3 * (1 + std::abs(difference)));
    }
    // A coarse rule leaves a larger rest, and says so.
    const auto coarse =
        tiny.run("integrated_gradients", {{"target", "star"}, {"steps", 2}, {"quadrature", "left"}});
    CHECK(std::abs(numbersIn(named(coarse, "map").note)[2]) > 1e-3);
}

TEST_CASE("the black baseline is what the preprocessing makes of black") {
    const Tiny tiny;
    REQUIRE(tiny.input->black.size() == 3);
    CHECK(tiny.input->black[0] == doctest::Approx(-1));
    CHECK(tiny.input->black[1] == doctest::Approx(-1.6));
    CHECK(tiny.input->black[2] == doctest::Approx(-1.5));
    Perturbation change;
    change.scale = 0;
    change.channelBaseline = tiny.input->black;
    const Array x = tiny.gradient({.classIndex = 0}, change).inputTensor;
    CHECK(x.at(1, 5, 7) == doctest::Approx(-1.6));
    CHECK(x.at(2, 23, 39) == doctest::Approx(-1.5));
}

TEST_CASE("gradient x input is the gradient times the input") {
    const Tiny tiny;
    const RunResult plain = tiny.gradient({.classIndex = 0});
    const auto found = tiny.run("gradient_x_input", {{"target", "0"}});
    for (const auto& [y, x] : {std::pair{0, 0}, {11, 17}, {23, 39}}) {
        double expected = 0;
        for (int c = 0; c < 3; ++c)
            expected += static_cast<double>(plain.inputGradient.at(c, y, x) * plain.inputTensor.at(c, y, x));
        CHECK(static_cast<double>(map(found).at(0, y, x)) == doctest::Approx(expected).epsilon(1e-4));
    }
}

TEST_CASE("SmoothGrad: no noise is the plain gradient, the seed decides, variance is that of the samples") {
    const Tiny tiny;
    const auto plain = tiny.run("input_gradient", {{"target", "0"}, {"channels", "signed"}});
    const auto still =
        tiny.run("smooth_grad", {{"target", "0"}, {"channels", "signed"}, {"noise", 0.0}, {"samples", 2}});
    for (std::size_t i = 0; i < map(plain).values.size(); i += 37)
        CHECK(map(still).values[i] == doctest::Approx(map(plain).values[i]).epsilon(1e-5));
    const nlohmann::json noisy = {{"target", "0"}, {"samples", 3}, {"noise", 0.3}, {"channels", "signed"}};
    auto other = noisy;
    other["seed"] = 1;
    CHECK(map(tiny.run("smooth_grad", noisy)).values == map(tiny.run("smooth_grad", noisy)).values);
    CHECK(map(tiny.run("smooth_grad", noisy)).values != map(tiny.run("smooth_grad", other)).values);
    auto one = noisy;
    one["samples"] = 1;
    one["aggregate"] = "variance";
    CHECK(sum(map(tiny.run("smooth_grad", one)).values) == 0);
    auto square = one;
    square["aggregate"] = "mean_square";
    const auto squares = tiny.run("smooth_grad", square);
    for (const float value : map(squares).values) CHECK(value >= 0);
}

TEST_CASE("patches are put back in their places") {
    StageTokens stage{"vision", 2, 3, {}};
    Array patches({7, 12});  // 2 x 2 pixels of 3 channels, one row of padding
    for (int patch = 0; patch < 6; ++patch)
        for (int y = 0; y < 2; ++y)
            for (int x = 0; x < 2; ++x)
                for (int c = 0; c < 3; ++c)
                    patches.at(patch, (y * 2 + x) * 3 + c) =
                        static_cast<float>(100 * c + 10 * (patch / 3 * 2 + y) + patch % 3 * 2 + x);
    const Array picture = asPicture(patches, stage);
    REQUIRE(picture.shape == std::vector<std::int64_t>{3, 4, 6});
    for (int c = 0; c < 3; ++c)
        for (int y = 0; y < 4; ++y)
            for (int x = 0; x < 6; ++x)
                CHECK(picture.at(c, y, x) == static_cast<float>(100 * c + 10 * y + x));
    CHECK_THROWS_AS(asPicture(Array({7, 11}), stage), Error);
    CHECK_THROWS_AS(asPicture(Array({5, 12}), stage), Error);
}

TEST_CASE("words of an answer cannot be chosen where a model gives none") {
    for (const TinyModel kind : {TinyModel::Classifier, TinyModel::Bare}) {
        const Tiny tiny(kind);
        for (const char* id : {"input_gradient", "gradient_x_input", "integrated_gradients", "smooth_grad"}) {
            CAPTURE(id);
            nlohmann::json few = nlohmann::json::object();
            if (std::string(id) == "integrated_gradients") few["steps"] = 2;
            if (std::string(id) == "smooth_grad") few["samples"] = 2;
            nlohmann::json plain = few;
            plain["queries"] = "auto";
            CHECK(map(tiny.run(id, plain)).values == map(tiny.run(id, few)).values);
            for (const char* words : {"999", "0", "cls", "writing:1", "nonsense"}) {
                CAPTURE(words);
                nlohmann::json params = few;
                params["queries"] = words;
                try {
                    tiny.run(id, params);
                    FAIL("accepted");
                } catch (const Error& error) {
                    CHECK(error.code() == ErrorCode::Usage);
                    CHECK(std::string(error.what()).find(words) != std::string::npos);
                    CHECK(error.hint().starts_with("leave queries at auto"));
                }
            }
        }
    }
    const auto writer = loadTinyLlava();
    const auto input = llavaInput(*writer);
    for (const char* words : {"999", "writing", "nonsense"}) {
        CAPTURE(words);
        CHECK_THROWS_AS(analyse("input_gradient", writer, input, {{"queries", words}}), Error);
    }
}

TEST_CASE("objectives and targets that do not exist are usage errors") {
    const Tiny tiny;
    for (const nlohmann::json& params : {nlohmann::json{{"target", "99"}},
                                         {{"target", "dog"}},
                                         {{"output", "nothing"}, {"objective", "logit"}},
                                         {{"output", "nothing"}, {"objective", "output_norm"}}}) {
        CAPTURE(params.dump());
        try {
            tiny.run("input_gradient", params);
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Usage);
        }
    }
    const Tiny bare(TinyModel::Bare);
    CHECK(named(bare.run("input_gradient"), "map").title.find("pooler_output") != std::string::npos);
}
