#include "models/model_tree.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace fovea::gui {

ModelTree::ModelTree(QObject* parent) : QAbstractItemModel(parent) {}

int ModelTree::add(Node node) {
    const int id = static_cast<int>(m_nodes.size());
    auto& siblings = node.parent < 0 ? m_roots : m_nodes[static_cast<std::size_t>(node.parent)].children;
    node.row = static_cast<int>(siblings.size());
    siblings.push_back(id);
    m_nodes.push_back(std::move(node));
    return id;
}

void ModelTree::setSpec(std::shared_ptr<const ModelSpec> spec) {
    if (spec == m_spec) return;
    beginResetModel();
    m_spec = std::move(spec);
    m_nodes.clear();
    m_roots.clear();
    m_siteNode.assign(m_spec ? m_spec->sites.size() : 0, -1);
    if (m_spec)
        for (const StageSpec& stage : m_spec->stages) addStage(stage);
    endResetModel();
}

void ModelTree::addStage(const StageSpec& stage) {
    const std::vector<int> sites = m_spec->sitesOfStage(stage.id);
    std::map<int, int> sitesOfBlock;
    int heads = 0;
    for (int site : sites) {
        const AttentionSite& at = m_spec->sites[static_cast<std::size_t>(site)];
        ++sitesOfBlock[at.block];
        heads = std::max(heads, at.heads);
    }
    Node root;
    root.name = QString::fromStdString(stage.id);
    root.search = root.name;
    root.tip = tr("%1 layers of %2 heads, hidden size %3").arg(stage.layers).arg(heads).arg(stage.hidden);
    const int rootId = add(std::move(root));
    for (int site : sites) {
        const AttentionSite& at = m_spec->sites[static_cast<std::size_t>(site)];
        Node layer;
        layer.parent = rootId;
        layer.level = 1;
        layer.layer = at.block;
        layer.name = QString::number(at.block);
        if (sitesOfBlock[at.block] > 1)
            layer.name +=
                " " + QString("%1 %2").arg(siteKindName(at.kind), QString::fromStdString(at.name)).trimmed();
        layer.search = QString("layer %1 %2 %3")
                           .arg(at.block)
                           .arg(QString::fromStdString(at.address()), QString::fromStdString(at.module));
        layer.tip =
            QString("%1\n%2").arg(QString::fromStdString(at.address()), QString::fromStdString(at.module));
        const int layerId = add(std::move(layer));
        m_siteNode[static_cast<std::size_t>(site)] = layerId;
        for (int h = 0; h < at.heads; ++h) {
            Node head;
            head.parent = layerId;
            head.level = 2;
            head.layer = at.block;
            head.head = h;
            head.name = QString("h%1").arg(h);
            head.search = QString("head %1 h%1 %2").arg(h).arg(QString::fromStdString(at.address()));
            head.tip = tr("%1, head %2").arg(QString::fromStdString(at.address())).arg(h);
            add(std::move(head));
        }
    }
}

void ModelTree::setSummary(const std::vector<SiteSummary>& summary) {
    for (Node& node : m_nodes) node.known = false;
    m_largest[Entropy] = 1e-9;
    const auto mean = [](const std::vector<double>& v) {
        return v.empty() ? 0 : std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    };
    for (const SiteSummary& site : summary) {
        if (site.site < 0 || site.site >= static_cast<int>(m_siteNode.size())) continue;
        Node& layer = m_nodes[static_cast<std::size_t>(m_siteNode[static_cast<std::size_t>(site.site)])];
        layer.known = true;
        layer.values[SinkMass] = mean(site.sinkMass);
        layer.values[Entropy] = mean(site.entropy);
        layer.values[ImageShare] = mean(site.imageShare);
        for (std::size_t h = 0; h < layer.children.size() && h < site.entropy.size(); ++h) {
            Node& head = m_nodes[static_cast<std::size_t>(layer.children[h])];
            head.known = true;
            head.values[SinkMass] = h < site.sinkMass.size() ? site.sinkMass[h] : 0;
            head.values[Entropy] = site.entropy[h];
            head.values[ImageShare] = h < site.imageShare.size() ? site.imageShare[h] : std::nan("");
            m_largest[Entropy] = std::max(m_largest[Entropy], site.entropy[h]);
        }
    }
    for (const Node& node : m_nodes) {
        if (node.children.empty()) continue;
        const QModelIndex first = createIndex(0, SinkMass, static_cast<quintptr>(node.children.front()));
        const QModelIndex last = createIndex(static_cast<int>(node.children.size()) - 1, ImageShare,
                                             static_cast<quintptr>(node.children.back()));
        Q_EMIT dataChanged(first, last);
    }
}

const ModelTree::Node& ModelTree::nodeOf(const QModelIndex& index) const {
    return m_nodes[static_cast<std::size_t>(index.internalId())];
}

QModelIndex ModelTree::index(int row, int column, const QModelIndex& parent) const {
    if (column < 0 || column >= columns || row < 0 || (parent.isValid() && parent.column() != 0)) return {};
    const std::vector<int>& rows = parent.isValid() ? nodeOf(parent).children : m_roots;
    if (row >= static_cast<int>(rows.size())) return {};
    return createIndex(row, column, static_cast<quintptr>(rows[static_cast<std::size_t>(row)]));
}

QModelIndex ModelTree::parent(const QModelIndex& index) const {
    if (!index.isValid()) return {};
    const int parent = nodeOf(index).parent;
    return parent < 0
               ? QModelIndex()
               : createIndex(m_nodes[static_cast<std::size_t>(parent)].row, 0, static_cast<quintptr>(parent));
}

int ModelTree::rowCount(const QModelIndex& parent) const {
    if (!parent.isValid()) return static_cast<int>(m_roots.size());
    return parent.column() == 0 ? static_cast<int>(nodeOf(parent).children.size()) : 0;
}

int ModelTree::columnCount(const QModelIndex&) const {
    return columns;
}

QVariant ModelTree::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const Node& node = nodeOf(index);
    const bool bar = index.column() != Name && node.level > 0 && node.known && !std::isnan(node.values[index.column()]);
    switch (role) {
        case Qt::DisplayRole:
            if (index.column() == Name) return node.name;
            return bar ? QString::number(node.values[index.column()], 'f', 2) : QVariant();
        case Qt::ToolTipRole:
            if (index.column() != Name) return headerData(index.column(), Qt::Horizontal, Qt::ToolTipRole);
            return node.tip;
        case ValueRole:
            return bar ? QVariant(node.values[index.column()]) : QVariant();
        case FractionRole:
            return bar ? QVariant(node.values[index.column()] / m_largest[index.column()]) : QVariant();
        case LevelRole:
            return node.level;
        case LayerRole:
            return node.layer;
        case HeadRole:
            return node.head;
        case SearchRole:
            return node.search;
        case Qt::AccessibleTextRole: {
            if (index.column() == Name) return node.level == 1 ? tr("layer %1").arg(node.name) : node.name;
            return headerData(index.column(), Qt::Horizontal, Qt::DisplayRole).toString() + " " +
                   data(index, Qt::DisplayRole).toString();
        }
        default:
            return {};
    }
}

QVariant ModelTree::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    static const char* const titles[] = {QT_TR_NOOP("Layer"), QT_TR_NOOP("Sinks"), QT_TR_NOOP("Entropy"),
                                         QT_TR_NOOP("Image")};
    static const char* const tips[] = {
        QT_TR_NOOP("Stage, layer, head"),
        QT_TR_NOOP("Sink mass: mean share of the attention, 0 to 1, on the head's sinks: tokens that draw more than 5 times "
                   "their uniform share"),
        QT_TR_NOOP("Mean entropy of the attention rows, in nats: low is focused"),
        QT_TR_NOOP("Mean share of the attention, 0 to 1, on tokens of the image; the rest is on class and register tokens "
                   "or on text")};
    if (section < 0 || section >= columns) return {};
    if (role == Qt::DisplayRole) return tr(titles[section]);
    if (role == Qt::ToolTipRole) return tr(tips[section]);
    return {};
}

}  // namespace fovea::gui
