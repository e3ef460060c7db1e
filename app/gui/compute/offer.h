#pragma once

#include <string>
#include <vector>

#include "fovea/param.h"
#include "fovea/viz/picture.h"

namespace fovea::gui {

/// A painter as the window sees it: its declaration and the finding kinds that it draws.
struct PainterOffer {
    EntryInfo info;
    std::vector<std::string> kinds;
};

/// A colour map with samples from its low to its high end.
struct ColormapOffer {
    std::string name;
    std::string title;
    std::vector<viz::Color> samples;
};

/// Everything that forms and menus can offer; fixed for the life of the program.
struct Offer {
    std::vector<EntryInfo> analyses;
    std::vector<EntryInfo> interventions;
    std::vector<PainterOffer> painters;
    std::vector<ColormapOffer> colormaps;

    /// The entry of that id, or null.
    const EntryInfo* analysis(const std::string& id) const { return find(analyses, id); }
    const EntryInfo* intervention(const std::string& id) const { return find(interventions, id); }
    const PainterOffer* painter(const std::string& id) const {
        for (const PainterOffer& painter : painters)
            if (painter.info.id == id) return &painter;
        return nullptr;
    }

private:
    static const EntryInfo* find(const std::vector<EntryInfo>& list, const std::string& id) {
        for (const EntryInfo& entry : list)
            if (entry.id == id) return &entry;
        return nullptr;
    }
};

}  // namespace fovea::gui
