#include "common/token_tree.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace fovea;

namespace {

EdgeScores randomScores(int nodes, std::mt19937& random) {
    std::uniform_real_distribution<double> uniform(0.01, 1);
    EdgeScores scores{nodes, {}};
    for (int i = 0; i < nodes * nodes; ++i) scores.values.push_back(uniform(random));
    return scores;
}

double total(const EdgeScores& scores, const std::vector<int>& parents) {
    double sum = 0;
    for (int child = 0; child < scores.nodes; ++child)
        if (parents[static_cast<std::size_t>(child)] >= 0)
            sum += scores.at(child, parents[static_cast<std::size_t>(child)]);
    return sum;
}

bool isTree(const std::vector<int>& parents, int root) {
    for (std::size_t start = 0; start < parents.size(); ++start) {
        int node = static_cast<int>(start), steps = 0;
        while (parents[static_cast<std::size_t>(node)] >= 0 && steps++ <= static_cast<int>(parents.size()))
            node = parents[static_cast<std::size_t>(node)];
        if (node != root) return false;
    }
    return true;
}

// Every choice of parents, counted up like an odometer.
double bruteForce(const EdgeScores& scores, int root) {
    std::vector<int> parents(static_cast<std::size_t>(scores.nodes), 0);
    double best = -std::numeric_limits<double>::infinity();
    const auto combinations = static_cast<long>(std::pow(scores.nodes, scores.nodes));
    for (long code = 0; code < combinations; ++code) {
        long rest = code;
        for (int& parent : parents) {
            parent = static_cast<int>(rest % scores.nodes);
            rest /= scores.nodes;
        }
        if (parents[static_cast<std::size_t>(root)] != root) continue;
        parents[static_cast<std::size_t>(root)] = -1;
        if (isTree(parents, root)) best = std::max(best, total(scores, parents));
        parents[static_cast<std::size_t>(root)] = root;
    }
    return best;
}

EdgeScores logarithms(EdgeScores scores) {
    for (double& value : scores.values) value = std::log(value + 1e-9);
    return scores;
}

}  // namespace

TEST_CASE("the global tree is the best of all arborescences") {
    std::mt19937 random(7);
    for (int nodes = 1; nodes <= 6; ++nodes)
        for (int round = 0; round < 20; ++round) {
            const EdgeScores scores = randomScores(nodes, random);
            const int root = round % nodes;
            const std::vector<int> parents = maximumSpanningTree(scores, root);
            CAPTURE(nodes);
            CAPTURE(round);
            REQUIRE(isTree(parents, root));
            CHECK(total(scores, parents) == doctest::Approx(bruteForce(scores, root)));
        }
}

TEST_CASE("nested cycles are contracted and expanded again") {
    // 1-2 and 3-4 prefer each other, and the two pairs prefer each other to the root 0.
    EdgeScores scores{5, std::vector<double>(25, 0.0)};
    scores.at(1, 2) = 10, scores.at(2, 1) = 10, scores.at(3, 4) = 10, scores.at(4, 3) = 10;
    scores.at(1, 3) = 5, scores.at(3, 1) = 5, scores.at(2, 0) = 2, scores.at(4, 0) = 1;
    const std::vector<int> parents = maximumSpanningTree(scores, 0);
    CHECK(parents == std::vector<int>{-1, 2, 0, 1, 3});
    CHECK(total(scores, parents) == bruteForce(scores, 0));
}

TEST_CASE("a planted tree is recovered from noisy scores") {
    std::mt19937 random(3);
    std::uniform_real_distribution<double> noise(0, 0.2);
    const int nodes = 40;
    std::vector<int> planted(static_cast<std::size_t>(nodes), -1);
    for (int child = 1; child < nodes; ++child)
        planted[static_cast<std::size_t>(child)] = static_cast<int>(random() % static_cast<unsigned>(child));
    EdgeScores scores{nodes, std::vector<double>(static_cast<std::size_t>(nodes * nodes))};
    for (double& value : scores.values) value = noise(random);
    for (int child = 1; child < nodes; ++child)
        scores.at(child, planted[static_cast<std::size_t>(child)]) += 1;
    CHECK(maximumSpanningTree(scores, 0) == planted);
}

TEST_CASE("root choices") {
    std::mt19937 random(11);
    for (int round = 0; round < 20; ++round) {
        const EdgeScores scores = randomScores(5, random), logs = logarithms(scores);
        const std::vector<double> received = scores.received();
        double best = -std::numeric_limits<double>::infinity(), bestVirtual = best, sum = 0;
        for (const double mass : received) sum += mass;
        for (int root = 0; root < 5; ++root) {
            const double value = bruteForce(logs, root);
            best = std::max(best, value);
            bestVirtual = std::max(bestVirtual,
                                   value + std::log(received[static_cast<std::size_t>(root)] / sum + 1e-9));
        }
        CHECK(total(logs, globalTree(scores, RootChoice::Best, 5)) == doctest::Approx(best));
        const auto most = std::max_element(received.begin(), received.end()) - received.begin();
        CHECK(globalTree(scores, RootChoice::Received, 1)[static_cast<std::size_t>(most)] == -1);
        const std::vector<int> viaVirtual = globalTree(scores, RootChoice::Virtual, 1);
        CHECK(std::count(viaVirtual.begin(), viaVirtual.end(), -1) == 1);
        const auto root = std::find(viaVirtual.begin(), viaVirtual.end(), -1) - viaVirtual.begin();
        CHECK(total(logs, viaVirtual) + std::log(received[static_cast<std::size_t>(root)] / sum + 1e-9) ==
              doctest::Approx(bestVirtual));
    }
}

TEST_CASE("greedy parents break cycles at the member with the largest received mass") {
    // 0 -> 1 -> 2 -> 0 is a cycle, 3 hangs on 1, 4 prefers itself.
    EdgeScores scores{5, std::vector<double>(25, 0.0)};
    scores.at(0, 1) = .9, scores.at(1, 2) = .8, scores.at(2, 0) = .7, scores.at(3, 1) = .6,
                 scores.at(4, 4) = .5;
    CHECK(greedyForest(scores) == std::vector<int>{1, -1, 0, 1, -1});
    std::mt19937 random(5);
    for (int round = 0; round < 50; ++round) {
        const std::vector<int> parents = greedyForest(randomScores(9, random));
        for (const int depth : treeDepths(parents)) CHECK((depth >= 0 && depth < 9));
    }
}

TEST_CASE("depths and subtree sizes") {
    const std::vector<int> parents{-1, 0, 0, 1, 3, -1};
    CHECK(treeDepths(parents) == std::vector<int>{0, 1, 1, 2, 3, 0});
    CHECK(subtreeSizes(parents) == std::vector<int>{5, 3, 1, 2, 1, 1});
    CHECK(globalTree(EdgeScores{}, RootChoice::Received, 1).empty());
}

TEST_CASE("a large tree is fast and valid") {
    std::mt19937 random(1);
    const EdgeScores scores = randomScores(700, random);
    CHECK(isTree(maximumSpanningTree(scores, 3), 3));
}
