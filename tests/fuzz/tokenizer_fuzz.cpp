#include "fovea/error.h"
#include "fovea/tokenizer.h"
#include "io/json_file.h"
#include "text/sentencepiece_file.h"

namespace {

/// What any text must keep: spans inside the text, one per id, and a stream that ends as decode() does.
void use(const std::shared_ptr<const fovea::Tokenizer>& tokenizer, std::string_view text) {
    const fovea::Encoding encoding = tokenizer->encode(text, fovea::AddSpecial::Yes);
    if (encoding.ids.size() != encoding.spans.size()) __builtin_trap();
    for (const fovea::ByteSpan span : encoding.spans)
        if (span.begin > span.end || span.end > text.size()) __builtin_trap();
    fovea::StreamingDecoder decoder(tokenizer);
    std::string streamed;
    for (const int id : encoding.ids) streamed += decoder.push(id);
    streamed += decoder.finish();
    if (streamed != tokenizer->decode(encoding.ids, fovea::SkipSpecial::Yes)) __builtin_trap();
}

void readSentencePiece(std::string_view bytes) {
    fovea::text::SentencePieceFile file = fovea::text::parseSentencePiece(bytes, "tokenizer.model");
    const auto normalizer = fovea::text::sentencePieceNormalizer(file, "tokenizer.model");
    const auto model = fovea::text::sentencePieceModel(std::move(file));
    auto text = fovea::text::AlignedText::of("ab  abab\xC3\xA9<x> a");
    normalizer->apply(text);
    std::vector<fovea::text::ModelToken> tokens;
    if (!text.text.empty()) model->tokenize(text.text, tokens);
    for (const auto& token : tokens)
        if (token.begin > token.end || token.end > text.text.size()) __builtin_trap();
}

}  // namespace

/// A text that ends with a line end and begins a file: the rest is a tokenizer.json that encodes it, or else a
/// sentencepiece model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view rest = input.substr(std::min(end + 1, input.size()));
    try {
        if (rest.starts_with('{'))
            use(fovea::Tokenizer::fromJson(fovea::parseJson(rest, "tokenizer.json"), "tokenizer.json"), input.substr(0, end));
        else
            readSentencePiece(rest);
    } catch (const fovea::Error&) {
    }
    return 0;
}
