#include "gateway/source/upstream_quirks.h"

namespace gateway::source {

quirks::Evidence evidence_of(const config::Upstream& upstream, const imapc::Connection& c) {
  quirks::Evidence out;
  out.upstream = upstream.name;
  if (upstream.imap) out.host = upstream.imap->host;
  out.banner = c.greeting();
  for (const auto& field : c.server_id().fields) {
    std::string name = field.name;
    for (char& letter : name) {
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    if (field.value) out.id[name] = *field.value;
  }
  out.capabilities = c.capabilities().names();
  return out;
}

std::vector<std::string_view> distrusted_capabilities(const quirks::Profile& profile) {
  std::vector<std::string_view> out;
  if (profile.no_condstore) out.insert(out.end(), {"CONDSTORE", "QRESYNC"});
  if (profile.no_qresync) out.push_back("QRESYNC");
  if (profile.no_list_status) out.push_back("LIST-STATUS");
  if (profile.no_esearch) out.push_back("ESEARCH");
  return out;
}

}  // namespace gateway::source
