#include "fovea/tokenizer.h"

#include "fovea/error.h"
#include "text/limits.h"
#include "text/tokenizer_parts.h"
#include "text/utf8.h"
#include "text/word_cache.h"

namespace fovea {

using text::OutputToken;
using text::Piece;
using text::Pieces;

const std::string* Tokenizer::Impl::decodedText(int id) const {
    const std::string* token = added.decodedText(id);
    return token ? token : parts.model->vocabulary().tokenOf(id);
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : m_impl(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::fromJson(const nlohmann::json& json, std::string fileName) {
    return text::finish(text::partsFromJson(json, fileName));
}

namespace {

/// The text in valid UTF-8, and where each of its bytes came from.
struct ValidText {
    std::string copy;
    std::vector<std::uint32_t> starts;  // empty when nothing had to be put right
    std::string_view view;
    std::size_t originalSize;

    explicit ValidText(std::string_view source) : view(source), originalSize(source.size()) {
        if (text::isUtf8(source)) return;
        text::appendLossyUtf8(source, copy, text::Utf8Tail::Replace, &starts);
        view = copy;
    }

    ByteSpan original(ByteSpan span) const {
        if (starts.empty()) return span;
        const auto at = [&](std::size_t i) -> std::size_t { return i < starts.size() ? starts[i] : originalSize; };
        return {at(span.begin), at(span.end)};
    }
};

Pieces preTokenized(const Tokenizer::Impl& impl, std::string_view text) {
    Pieces pieces(text::AlignedText::of(text));
    impl.added.splitRaw(pieces);
    if (impl.parts.normalizer)
        pieces.rewrite([&](text::AlignedText& piece) { impl.parts.normalizer->apply(piece); });
    impl.added.splitNormalized(pieces);
    if (impl.parts.preTokenizer) impl.parts.preTokenizer->apply(pieces);
    return pieces;
}

std::vector<OutputToken> tokensOf(const Tokenizer::Impl& impl, const Pieces& pieces) {
    std::vector<OutputToken> tokens;
    text::WordCache words(*impl.parts.model);
    const auto span = [&](std::uint32_t begin, std::uint32_t end) {
        const text::Alignment place = pieces.original(begin, end);
        return ByteSpan{place.begin, place.end};
    };
    for (const Piece& piece : pieces.all()) {
        if (piece.token >= 0) {
            tokens.push_back({piece.token, span(piece.begin, piece.end), pieces.textOf(piece), false});
            continue;
        }
        for (const text::ModelToken& token : words.tokens(pieces.textOf(piece))) {
            const std::string* spelling = impl.parts.model->vocabulary().tokenOf(token.id);
            tokens.push_back({token.id, span(piece.begin + token.begin, piece.begin + token.end),
                              spelling ? std::string_view(*spelling) : std::string_view(), false});
        }
    }
    return tokens;
}

}  // namespace

Encoding Tokenizer::encode(std::string_view source, AddSpecial addSpecial) const {
    if (source.size() > text::maxTextBytes)
        throw Error("the text is too long: expected at most " + std::to_string(text::maxTextBytes) +
                        " bytes, found " + std::to_string(source.size()),
                    "Shorten the prompt.");
    const ValidText valid(source);
    const Pieces pieces = preTokenized(*m_impl, valid.view);
    std::vector<OutputToken> tokens = tokensOf(*m_impl, pieces);
    if (m_impl->parts.postProcessor) m_impl->parts.postProcessor->apply(valid.view, tokens, addSpecial);
    Encoding out;
    out.ids.reserve(tokens.size());
    out.spans.reserve(tokens.size());
    out.special.reserve(tokens.size());
    for (const OutputToken& token : tokens) {
        out.ids.push_back(token.id);
        out.spans.push_back(valid.original(token.span));
        out.special.push_back(token.special || isSpecial(token.id));
    }
    return out;
}

std::string Tokenizer::decode(std::span<const int> ids, SkipSpecial skipSpecial) const {
    text::DecoderChain chain(m_impl->parts.decoders);
    for (const int id : ids) {
        const std::string* token = m_impl->decodedText(id);
        if (token && !(skipSpecial == SkipSpecial::Yes && m_impl->skipped(*token))) chain.push(*token);
    }
    chain.finish();
    return chain.take();
}

std::string Tokenizer::tokenText(int id) const {
    if (const text::AddedToken* token = m_impl->added.byId(id)) return token->content;
    const std::string* spelling = m_impl->parts.model->vocabulary().tokenOf(id);
    return spelling ? *spelling : std::string();
}

std::optional<int> Tokenizer::idOf(std::string_view token) const {
    if (const auto id = m_impl->added.idOf(token)) return id;
    return m_impl->parts.model->vocabulary().idOf(token);
}

int Tokenizer::vocabularySize() const {
    const text::Vocabulary& vocabulary = m_impl->parts.model->vocabulary();
    std::size_t size = vocabulary.size();
    for (const text::AddedToken& token : m_impl->added.all()) size += !vocabulary.idOf(token.content);
    return static_cast<int>(size);
}

int Tokenizer::idEnd() const {
    int end = m_impl->parts.model->vocabulary().idEnd();
    for (const text::AddedToken& token : m_impl->added.all()) end = std::max(end, token.id + 1);
    return end;
}

bool Tokenizer::isSpecial(int id) const {
    const text::AddedToken* token = m_impl->added.byId(id);
    return token && token->special;
}

const std::string& Tokenizer::bosToken() const {
    return m_impl->parts.bosToken;
}
const std::string& Tokenizer::eosToken() const {
    return m_impl->parts.eosToken;
}
const std::string& Tokenizer::padToken() const {
    return m_impl->parts.padToken;
}
const std::string& Tokenizer::unkToken() const {
    return m_impl->parts.unkToken;
}
std::int64_t Tokenizer::modelMaxLength() const {
    return m_impl->parts.modelMaxLength;
}
const std::vector<std::string>& Tokenizer::notices() const {
    return m_impl->parts.notices;
}

struct StreamingDecoder::State {
    std::shared_ptr<const Tokenizer> tokenizer;
    text::DecoderChain chain;
};

StreamingDecoder::StreamingDecoder(std::shared_ptr<const Tokenizer> tokenizer) {
    text::DecoderChain chain(tokenizer->m_impl->parts.decoders);
    m_state = std::make_unique<State>(State{std::move(tokenizer), std::move(chain)});
}

StreamingDecoder::~StreamingDecoder() = default;
StreamingDecoder::StreamingDecoder(StreamingDecoder&&) noexcept = default;
StreamingDecoder& StreamingDecoder::operator=(StreamingDecoder&&) noexcept = default;

std::string StreamingDecoder::push(int id) {
    const Tokenizer::Impl& impl = *m_state->tokenizer->m_impl;
    const std::string* token = impl.decodedText(id);
    if (token && !impl.skipped(*token)) m_state->chain.push(*token);
    return m_state->chain.take();
}

std::string StreamingDecoder::finish() {
    m_state->chain.finish();
    return m_state->chain.take();
}

}  // namespace fovea
