#include "text/token_decoder.h"

#include "text/normalizer.h"

namespace fovea::text {

void WholeTokenStage::push(const Part& part) {
    if (part.begins && part.ends) {
        token(part.text);
        return;
    }
    if (part.begins) m_open.clear();
    m_open += part.text;
    m_isOpen = !part.ends;
    if (part.ends) token(m_open);
}

void WholeTokenStage::finish() {
    if (m_isOpen) token(m_open);
    m_isOpen = false;
    rest();
    next().finish();
}

struct DecoderChain::Sink final : DecoderStage {
    void push(const Part& part) override { text += part.text; }
    void finish() override {}
    std::string text;
};

DecoderChain::DecoderChain(const std::vector<std::unique_ptr<TokenDecoder>>& decoders) {
    for (const auto& decoder : decoders) m_stages.push_back(decoder->start());
    auto sink = std::make_unique<Sink>();
    m_sink = sink.get();
    m_stages.push_back(std::move(sink));
    for (std::size_t i = 0; i + 1 < m_stages.size(); ++i) m_stages[i]->sendTo(*m_stages[i + 1]);
}

void DecoderChain::push(std::string_view token) {
    m_stages.front()->push({token, true, true});
}

void DecoderChain::finish() {
    m_stages.front()->finish();
}

std::string DecoderChain::take() {
    return std::exchange(m_sink->text, {});
}

std::vector<std::unique_ptr<TokenDecoder>> makeDecoders(const JsonNode& node) {
    std::vector<std::unique_ptr<TokenDecoder>> decoders;
    for (const JsonNode& part : flatSequence(node, "decoders")) {
        const std::string& type = part.at("type").text();
        auto decoder = makeByteDecoder(part, type);
        if (!decoder) decoder = makeWordDecoder(part, type);
        if (!decoder) decoder = makeTextDecoder(part, type);
        if (!decoder) part.at("type").fail("a decoder that Fovea knows");
        decoders.push_back(std::move(decoder));
    }
    return decoders;
}

}  // namespace fovea::text
