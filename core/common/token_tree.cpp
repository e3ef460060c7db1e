#include "common/token_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fovea {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Tarjan's contraction on a dense cost matrix. Components are numbered on from `nodes` as cycles are
// contracted; the row of a component holds, for every original node, the cheapest reduced edge from it and
// where that edge really ends.
class Contraction {
public:
    Contraction(const EdgeScores& scores, int root) : m_nodes(scores.nodes), m_root(root) {
        const auto count = static_cast<std::size_t>(2 * m_nodes);
        m_rows.resize(count);
        m_edges.resize(count);
        m_settled.assign(count, false);
        m_onPath.assign(count, false);
        m_owner.resize(count);
        std::iota(m_owner.begin(), m_owner.end(), 0);
        m_container.assign(count, -1);
        for (int child = 0; child < m_nodes; ++child) {
            Row& row = m_rows[static_cast<std::size_t>(child)];
            row.cost.resize(static_cast<std::size_t>(m_nodes));
            row.target.assign(static_cast<std::size_t>(m_nodes), child);
            for (int parent = 0; parent < m_nodes; ++parent)
                row.cost[static_cast<std::size_t>(parent)] = -scores.at(child, parent);
        }
        m_settled[static_cast<std::size_t>(root)] = true;
    }

    std::vector<int> solve() {
        for (int node = 0; node < m_nodes; ++node)
            if (!m_settled[static_cast<std::size_t>(find(node))]) grow(find(node));
        return expand();
    }

private:
    struct Row {
        std::vector<double> cost;
        std::vector<int> target;
    };
    struct Edge {
        int source = -1, target = -1;
        double cost = infinity;
    };

    int find(int node) {
        while (m_owner[static_cast<std::size_t>(node)] != node) {
            int& owner = m_owner[static_cast<std::size_t>(node)];
            owner = m_owner[static_cast<std::size_t>(owner)];
            node = owner;
        }
        return node;
    }

    Edge cheapest(int component) {
        const Row& row = m_rows[static_cast<std::size_t>(component)];
        Edge best;
        for (int source = 0; source < m_nodes; ++source) {
            const double cost = row.cost[static_cast<std::size_t>(source)];
            if ((best.source < 0 || cost < best.cost) && find(source) != component)
                best = {source, row.target[static_cast<std::size_t>(source)], cost};
        }
        return best;
    }

    void grow(int component) {
        std::vector<int> path{component};
        m_onPath[static_cast<std::size_t>(component)] = true;
        for (;;) {
            const int last = path.back();
            m_edges[static_cast<std::size_t>(last)] = cheapest(last);
            const int next = find(m_edges[static_cast<std::size_t>(last)].source);
            if (m_settled[static_cast<std::size_t>(next)]) break;
            if (m_onPath[static_cast<std::size_t>(next)]) {
                path.push_back(contract(path, next));
            } else {
                path.push_back(next);
            }
            m_onPath[static_cast<std::size_t>(path.back())] = true;
        }
        for (const int member : path) m_settled[static_cast<std::size_t>(member)] = true;
    }

    // Merges the end of the path from `first` on into a new component.
    int contract(std::vector<int>& path, int first) {
        const int merged = m_nodes + static_cast<int>(m_cycles.size());
        const auto begin = std::find(path.begin(), path.end(), first);
        std::vector<int> cycle(begin, path.end());
        path.erase(begin, path.end());
        Row row = std::move(m_rows[static_cast<std::size_t>(cycle[0])]);
        for (double& cost : row.cost) cost -= m_edges[static_cast<std::size_t>(cycle[0])].cost;
        for (const int member : cycle) {
            m_owner[static_cast<std::size_t>(member)] = merged;
            m_container[static_cast<std::size_t>(member)] = merged;
            if (member == cycle[0]) continue;
            const Row other = std::move(m_rows[static_cast<std::size_t>(member)]);
            const double reduced = m_edges[static_cast<std::size_t>(member)].cost;
            for (std::size_t source = 0; source < row.cost.size(); ++source)
                if (other.cost[source] - reduced < row.cost[source]) {
                    row.cost[source] = other.cost[source] - reduced;
                    row.target[source] = other.target[source];
                }
        }
        m_rows[static_cast<std::size_t>(merged)] = std::move(row);
        m_cycles.push_back(std::move(cycle));
        return merged;
    }

    // The edge chosen for a component replaces the one of the member that it really enters, from the outside
    // inwards.
    std::vector<int> expand() {
        for (int i = static_cast<int>(m_cycles.size()) - 1; i >= 0; --i) {
            const int component = m_nodes + i;
            const Edge edge = m_edges[static_cast<std::size_t>(component)];
            int member = edge.target;
            while (m_container[static_cast<std::size_t>(member)] != component)
                member = m_container[static_cast<std::size_t>(member)];
            m_edges[static_cast<std::size_t>(member)] = edge;
        }
        std::vector<int> parents(static_cast<std::size_t>(m_nodes));
        for (int node = 0; node < m_nodes; ++node)
            parents[static_cast<std::size_t>(node)] =
                node == m_root ? -1 : m_edges[static_cast<std::size_t>(node)].source;
        return parents;
    }

    int m_nodes, m_root;
    std::vector<Row> m_rows;
    std::vector<Edge> m_edges;
    std::vector<char> m_settled, m_onPath;
    std::vector<int> m_owner, m_container;
    std::vector<std::vector<int>> m_cycles;
};

EdgeScores logarithms(const EdgeScores& scores) {
    EdgeScores out = scores;
    for (double& value : out.values) value = std::log(value + 1e-9);
    return out;
}

std::vector<int> byReceived(const EdgeScores& scores) {
    const std::vector<double> received = scores.received();
    std::vector<int> order(received.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return received[static_cast<std::size_t>(a)] > received[static_cast<std::size_t>(b)];
    });
    return order;
}

std::vector<int> bestOf(const EdgeScores& logs, const std::vector<int>& roots) {
    std::vector<int> best;
    double bestTotal = -infinity;
    for (const int root : roots) {
        std::vector<int> parents = maximumSpanningTree(logs, root);
        double total = 0;
        for (int child = 0; child < logs.nodes; ++child)
            if (parents[static_cast<std::size_t>(child)] >= 0)
                total += logs.at(child, parents[static_cast<std::size_t>(child)]);
        if (total > bestTotal) {
            bestTotal = total;
            best = std::move(parents);
        }
    }
    return best;
}

std::vector<int> virtualRoot(const EdgeScores& scores, const EdgeScores& logs) {
    const std::vector<double> received = scores.received();
    const double all = std::accumulate(received.begin(), received.end(), 0.0);
    // Larger than any gain that a second child of the virtual root could bring.
    const double penalty = 100.0 * (scores.nodes + 1);
    EdgeScores wide{scores.nodes + 1, {}};
    wide.values.assign(static_cast<std::size_t>(wide.nodes) * static_cast<std::size_t>(wide.nodes), 0);
    for (int child = 0; child < scores.nodes; ++child) {
        for (int parent = 0; parent < scores.nodes; ++parent) wide.at(child, parent) = logs.at(child, parent);
        const double share = all > 0 ? received[static_cast<std::size_t>(child)] / all : 0;
        wide.at(child, scores.nodes) = std::log(share + 1e-9) - penalty;
    }
    std::vector<int> parents = maximumSpanningTree(wide, scores.nodes);
    parents.pop_back();
    for (int& parent : parents)
        if (parent == scores.nodes) parent = -1;
    return parents;
}

}  // namespace

std::vector<double> EdgeScores::received() const {
    std::vector<double> sums(static_cast<std::size_t>(nodes), 0.0);
    for (int child = 0; child < nodes; ++child)
        for (int parent = 0; parent < nodes; ++parent)
            sums[static_cast<std::size_t>(parent)] += at(child, parent);
    return sums;
}

std::vector<int> greedyForest(const EdgeScores& scores) {
    const auto count = static_cast<std::size_t>(scores.nodes);
    std::vector<int> parents(count);
    for (int child = 0; child < scores.nodes; ++child) {
        int best = child;
        for (int parent = 0; parent < scores.nodes; ++parent)
            if (scores.at(child, parent) > scores.at(child, best)) best = parent;
        parents[static_cast<std::size_t>(child)] = best == child ? -1 : best;
    }
    const std::vector<double> received = scores.received();
    std::vector<int> visited(count, -1);  // the walk that saw a node first
    for (int start = 0; start < scores.nodes; ++start) {
        int node = start;
        while (node >= 0 && visited[static_cast<std::size_t>(node)] < 0) {
            visited[static_cast<std::size_t>(node)] = start;
            node = parents[static_cast<std::size_t>(node)];
        }
        if (node < 0 || visited[static_cast<std::size_t>(node)] != start) continue;
        int root = node;
        for (int other = parents[static_cast<std::size_t>(node)]; other != node;
             other = parents[static_cast<std::size_t>(other)])
            if (received[static_cast<std::size_t>(other)] > received[static_cast<std::size_t>(root)])
                root = other;
        parents[static_cast<std::size_t>(root)] = -1;
    }
    return parents;
}

std::vector<int> maximumSpanningTree(const EdgeScores& scores, int root) {
    return Contraction(scores, root).solve();
}

std::vector<int> globalTree(const EdgeScores& scores, RootChoice choice, int candidates) {
    if (scores.nodes == 0) return {};
    const EdgeScores logs = logarithms(scores);
    if (choice == RootChoice::Virtual) return virtualRoot(scores, logs);
    std::vector<int> roots = byReceived(scores);
    const int wanted = choice == RootChoice::Received ? 1 : std::clamp(candidates, 1, scores.nodes);
    roots.resize(static_cast<std::size_t>(wanted));
    return bestOf(logs, roots);
}

std::vector<int> treeDepths(const std::vector<int>& parents) {
    std::vector<int> depths(parents.size(), -1);
    std::vector<int> chain;
    for (std::size_t start = 0; start < parents.size(); ++start) {
        int node = static_cast<int>(start);
        while (node >= 0 && depths[static_cast<std::size_t>(node)] < 0) {
            chain.push_back(node);
            node = parents[static_cast<std::size_t>(node)];
        }
        int depth = node < 0 ? -1 : depths[static_cast<std::size_t>(node)];
        for (; !chain.empty(); chain.pop_back()) depths[static_cast<std::size_t>(chain.back())] = ++depth;
    }
    return depths;
}

std::vector<int> subtreeSizes(const std::vector<int>& parents) {
    const std::vector<int> depths = treeDepths(parents);
    std::vector<int> order(parents.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) {
        return depths[static_cast<std::size_t>(a)] > depths[static_cast<std::size_t>(b)];
    });
    std::vector<int> sizes(parents.size(), 1);
    for (const int node : order)
        if (const int parent = parents[static_cast<std::size_t>(node)]; parent >= 0)
            sizes[static_cast<std::size_t>(parent)] += sizes[static_cast<std::size_t>(node)];
    return sizes;
}

}  // namespace fovea
