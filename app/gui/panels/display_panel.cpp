#include "panels/display_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QSignalBlocker>
#include <QSlider>
#include <algorithm>
#include <cmath>
#include <tuple>

#include "forms/described.h"

namespace fovea::gui {

namespace {

constexpr int fewestDecimals = 5, mostDecimals = 16;

QIcon stripOf(const ColormapOffer& map) {
    const int width = static_cast<int>(map.samples.size());
    if (width == 0) return {};
    QImage strip(width, 1, QImage::Format_RGB32);
    for (int i = 0; i < width; ++i) {
        const viz::Color c = map.samples[static_cast<std::size_t>(i)];
        strip.setPixelColor(i, 0, QColor(c.r, c.g, c.b));
    }
    QPixmap pixmap(96, 28);
    QPainter(&pixmap).drawImage(pixmap.rect(), strip);
    pixmap.setDevicePixelRatio(2);
    return QIcon(pixmap);
}

}  // namespace

DisplayPanel::DisplayPanel(SessionController& controller, const Offer& offer, QWidget* parent)
    : QWidget(parent), m_controller(controller) {
    auto* form = new QFormLayout(this);
    form->setContentsMargins(8, 0, 8, 8);
    form->setHorizontalSpacing(10);
    form->setVerticalSpacing(6);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_scale =
        choice(form, tr("Scale"),
               tr("How values map to colours; only \"Per picture\" stretches each picture to its own range"),
               "scale",
               {{tr("Linked"), "linked"},
                {tr("Fixed"), "fixed"},
                {tr("Per picture"), "picture"},
                {tr("Logarithmic"), "log"},
                {tr("Rank"), "rank"}},
               &DisplayOptions::scale);
    m_range = new QWidget(this);
    auto* range = new QHBoxLayout(m_range);
    range->setContentsMargins(0, 0, 0, 0);
    m_minimum = bound(tr("Lowest value"), tr("Value at the low end of the colour bar"), "minimum",
                      &DisplayOptions::minimum);
    m_maximum = bound(tr("Highest value"), tr("Value at the high end of the colour bar"), "maximum",
                      &DisplayOptions::maximum);
    range->addWidget(m_minimum);
    range->addWidget(new QLabel(tr("to"), m_range));
    range->addWidget(m_maximum);
    form->addRow(tr("Range"), m_range);
    std::vector<std::pair<QString, QString>> maps;
    for (const ColormapOffer& map : offer.colormaps)
        maps.emplace_back(QString::fromStdString(map.title.empty() ? map.name : map.title),
                          QString::fromStdString(map.name));
    m_colormap = choice(form, tr("Colours"), tr("Colour map of the heat"), "colormap", maps,
                        &DisplayOptions::colormap);
    m_colormap->setIconSize(QSize(48, 14));
    for (std::size_t i = 0; i < offer.colormaps.size(); ++i)
        m_colormap->setItemIcon(static_cast<int>(i), stripOf(offer.colormaps[i]));
    m_opacity = percent(form, tr("Opacity"), tr("Opacity of the strongest heat over the image"), "opacity",
                        &DisplayOptions::opacity);
    choice(form, tr("Blend"), tr("Whether little heat lets the image through, or all heat is equally opaque; automatic: equally for maps of single pixels"), "blend",
           {{tr("Automatic"), "auto"}, {tr("By value"), "value"}, {tr("Even"), "even"}}, &DisplayOptions::blend);
    m_threshold = percent(form, tr("Threshold"), tr("Heat below this share of the scale is not drawn"),
                          "threshold", &DisplayOptions::threshold);
    m_filter =
        choice(form, tr("Filter"), tr("How token cells are enlarged to the picture"), "filter",
               {{tr("Nearest (cells)"), "nearest"}, {tr("Bilinear"), "bilinear"}, {tr("Bicubic"), "bicubic"}},
               &DisplayOptions::filter);
    m_sinks = choice(
        form, tr("Sinks"), tr("What becomes of sink tokens, which draw attention without meaning"), "sinks",
        {{tr("Keep"), "keep"}, {tr("Mask, renormalise"), "mask"}, {tr("Redistribute"), "redistribute"}},
        &DisplayOptions::sinks);
    m_grid = flag(form, tr("Token grid"), tr("Draws the borders of the tokens over the picture"),
                  &DisplayOptions::tokenGrid);
    m_recipe =
        flag(form, tr("Recipe line"), tr("Says under the picture how it was made"), &DisplayOptions::recipe);
    connect(&m_controller, &SessionController::changed, this, &DisplayPanel::showSession);
    showSession();
}

void DisplayPanel::changeDisplay(const QString& text, const QString& merge,
                                 const std::function<void(DisplayOptions&)>& edit) {
    if (!m_controller.picture()) return;
    m_controller.change(text, merge, [&](Session& s) {
        edit(s.pictures[static_cast<std::size_t>(m_controller.pictureIndex())].display);
    });
}

QComboBox* DisplayPanel::choice(QFormLayout* form, const QString& label, const QString& tip,
                                const QString& key, const std::vector<std::pair<QString, QString>>& items,
                                std::string DisplayOptions::*member) {
    auto* box = new QComboBox(this);
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
    box->setObjectName("display_" + key);
    for (const auto& [title, id] : items) box->addItem(title, id);
    described(box, label, tip);
    form->addRow(label, box);
    connect(box, &QComboBox::activated, this, [this, box, member, label] {
        changeDisplay(tr("change %1").arg(label.toLower()), {}, [&](DisplayOptions& d) {
            d.*member = box->currentData().toString().toStdString();
            if (member != &DisplayOptions::scale) return;
            // A range left over from "fixed" would mean something else to the other scales.
            std::tie(d.minimum, d.maximum) = d.scale == "fixed" ? m_seen : std::pair(0.0, 0.0);
        });
    });
    m_readers.push_back([box, member](const DisplayOptions& d) {
        box->setCurrentIndex(box->findData(QString::fromStdString(d.*member)));
    });
    return box;
}

QSlider* DisplayPanel::percent(QFormLayout* form, const QString& label, const QString& tip,
                               const QString& key, double DisplayOptions::*member) {
    auto* slider = new QSlider(Qt::Horizontal, this);
    slider->setRange(0, 100);
    slider->setPageStep(10);
    slider->setObjectName("display_" + key);
    described(slider, label, tip);
    auto* number = new QLabel(this);
    number->setMinimumWidth(fontMetrics().horizontalAdvance("100 %"));
    number->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    auto* row = new QHBoxLayout;
    row->setSpacing(6);
    row->addWidget(slider, 1);
    row->addWidget(number);
    form->addRow(label, row);
    static_cast<QLabel*>(form->labelForField(row))->setBuddy(slider);
    connect(slider, &QSlider::valueChanged, this, [this, slider, number, member, label, key] {
        number->setText(QString("%1 %").arg(slider->value()));
        changeDisplay(tr("change %1").arg(label.toLower()), "display/" + key,
                      [&](DisplayOptions& d) { d.*member = slider->value() / 100.0; });
    });
    m_readers.push_back([slider, number, member](const DisplayOptions& d) {
        const QSignalBlocker quiet(slider);
        slider->setValue(static_cast<int>(std::lround(d.*member * 100)));
        number->setText(QString("%1 %").arg(slider->value()));
    });
    return slider;
}

QDoubleSpinBox* DisplayPanel::bound(const QString& name, const QString& tip, const QString& key,
                                    double DisplayOptions::*member) {
    auto* box = new QDoubleSpinBox(this);
    box->setRange(-1e9, 1e9);
    box->setDecimals(fewestDecimals);
    box->setStepType(QAbstractSpinBox::AdaptiveDecimalStepType);
    box->setKeyboardTracking(false);
    box->setObjectName("display_" + key);
    box->setMinimumWidth(64);
    described(box, name, tip);
    connect(box, &QDoubleSpinBox::valueChanged, this, [this, box, member, key] {
        const PictureRequest* picture = m_controller.picture();
        if (!picture) return;
        DisplayOptions wanted = picture->display;
        wanted.*member = box->value();
        // A range without extent can be neither drawn nor opened again.
        if (!(wanted.minimum < wanted.maximum)) return showSession();
        changeDisplay(tr("change range"), "display/" + key,
                      [&](DisplayOptions& d) { d.*member = box->value(); });
    });
    m_readers.push_back([box, member](const DisplayOptions& d) {
        const QSignalBlocker quiet(box);
        const double limit = std::max(std::abs(d.minimum), std::abs(d.maximum));
        // Gradients live at 1e-7: four digits of the larger end are shown.
        const int decimals = limit > 0 ? 4 - static_cast<int>(std::floor(std::log10(limit))) : fewestDecimals;
        box->setDecimals(std::clamp(decimals, fewestDecimals, mostDecimals));
        box->setValue(d.*member);
    });
    return box;
}

QCheckBox* DisplayPanel::flag(QFormLayout* form, const QString& label, const QString& tip,
                              bool DisplayOptions::*member) {
    auto* box = new QCheckBox(label, this);
    described(box, label, tip);
    form->addRow(QString(), box);
    connect(box, &QCheckBox::toggled, this, [this, member, label](bool on) {
        changeDisplay(tr("change %1").arg(label.toLower()), {}, [&](DisplayOptions& d) { d.*member = on; });
    });
    m_readers.push_back([box, member](const DisplayOptions& d) {
        const QSignalBlocker quiet(box);
        box->setChecked(d.*member);
    });
    return box;
}

void DisplayPanel::showSession() {
    const PictureRequest* picture = m_controller.picture();
    setEnabled(picture != nullptr);
    if (!picture) return;
    for (const auto& reader : m_readers) reader(picture->display);
    static_cast<QFormLayout*>(layout())->labelForField(m_range)->setVisible(picture->display.scale ==
                                                                            "fixed");
    m_range->setVisible(picture->display.scale == "fixed");
}

}  // namespace fovea::gui
