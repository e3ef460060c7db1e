#pragma once

#include <QAbstractItemModel>
#include <memory>
#include <vector>

#include "compute/driver.h"

namespace fovea::gui {

/// Stage > layer > head of the open model, with the summary of the last run in columns.
class ModelTree : public QAbstractItemModel {
    Q_OBJECT

public:
    enum Column { Name, SinkMass, Entropy, ImageShare, columns };
    enum Role {
        ValueRole = Qt::UserRole,  ///< the number of a bar column, double; invalid when there is none
        FractionRole,              ///< length of the bar, 0..1
        LevelRole,                 ///< 0 stage, 1 layer, 2 head
        LayerRole,                 ///< block index of a layer or head row
        HeadRole,                  ///< head index of a head row
        SearchRole,                ///< what the filter box matches
    };

    explicit ModelTree(QObject* parent = nullptr);
    void setSpec(std::shared_ptr<const ModelSpec> spec);
    void setSummary(const std::vector<SiteSummary>& summary);

    QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    QModelIndex parent(const QModelIndex& index) const override;
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Node {
        int parent = -1;
        int row = 0;
        int level = 0;
        int layer = -1, head = -1;
        QString name, tip, search;
        std::vector<int> children;
        double values[columns] = {};
        bool known = false;
    };
    int add(Node node);
    const Node& nodeOf(const QModelIndex& index) const;
    void addStage(const StageSpec& stage);

    std::shared_ptr<const ModelSpec> m_spec;
    std::vector<Node> m_nodes;
    std::vector<int> m_roots;
    std::vector<int> m_siteNode;  // node of every site
    double m_largest[columns] = {0, 1, 1, 1};
};

}  // namespace fovea::gui
