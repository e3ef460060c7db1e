#pragma once

#include <vector>

namespace fovea {

/// Scores of possible edges between n nodes: how well node `parent` serves as the parent of node `child`.
struct EdgeScores {
    int nodes = 0;
    std::vector<double> values;  // [child, parent]

    double at(int child, int parent) const {
        return values[static_cast<std::size_t>(child) * static_cast<std::size_t>(nodes) +
                      static_cast<std::size_t>(parent)];
    }
    double& at(int child, int parent) {
        return values[static_cast<std::size_t>(child) * static_cast<std::size_t>(nodes) +
                      static_cast<std::size_t>(parent)];
    }
    /// Sum over children for every parent: its received mass.
    std::vector<double> received() const;
};

/// Every node takes its best parent, itself included (it is then a root); each cycle is broken at its member
/// with the largest received mass, which becomes a root. Parent of every node, -1 for roots.
std::vector<int> greedyForest(const EdgeScores& scores);

/// The spanning tree with the given root that maximises the sum of scores of its edges (Chu and Liu 1965,
/// Edmonds 1967; dense form after Tarjan, O(nodes^2)); self edges are ignored. Parent of every node, -1 for
/// the root.
std::vector<int> maximumSpanningTree(const EdgeScores& scores, int root);

/// Which node becomes the root of a global tree.
enum class RootChoice {
    Received,  ///< the one with the largest received mass
    Best,      ///< the best total among the nodes with the largest received mass
    Virtual,   ///< a virtual root above all, with edges log(share of received mass), that may keep one child
               ///< only
};

/// maximumSpanningTree() over log(score + 1e-9) with the root found by `choice`; `candidates` is for Best.
std::vector<int> globalTree(const EdgeScores& scores, RootChoice choice, int candidates);

/// Depth of every node (roots 0) of a forest given by parents.
std::vector<int> treeDepths(const std::vector<int>& parents);

/// Nodes in the subtree of every node, itself included.
std::vector<int> subtreeSizes(const std::vector<int>& parents);

}  // namespace fovea
