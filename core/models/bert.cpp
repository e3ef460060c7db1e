// BERT (Devlin et al. 2019) and the sentence encoders made of it (MiniLM, Wang et al. 2020).
#include "fovea/catalog.h"
#include "nn/bert_model.h"

namespace fovea {

void add_bert(ModelCatalog& catalog) {
    ModelEntry entry;
    entry.info = {"bert",
                  "BERT",
                  "BERT and sentence encoders such as MiniLM (Devlin et al. 2019; Wang et al. 2020).",
                  {}};
    entry.modelTypes = {"bert"};
    entry.architectures = {"BertModel", "BertForMaskedLM", "BertForSequenceClassification",
                           "BertForTokenClassification", "BertForPreTraining", "BertForNextSentencePrediction"};
    entry.load = loadBert;
    catalog.add(std::move(entry));
}

}  // namespace fovea
