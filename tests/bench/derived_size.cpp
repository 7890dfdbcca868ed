// What derived data takes for each octet of mail, by column, and what a search for text costs with it: the answers that
// SEARCH BODY and ENVELOPE of a whole mailbox are made from, without a connection.
//
//   derived_size [--mail DIR] [--messages N] [--dir DIR]
//
// The store is filled as by deliveries and packed as by the maintenance of a server (storage_size).
#include "gateway/derived/content.h"
#include "gateway/imap/search_content.h"
#include "storage/derived.h"
#include "storage/derived_format.h"
#include "tests/bench/mail_for_bench.h"
#include "wire/mail/fold.h"
#include "wire/mail/scan.h"

namespace {

using namespace bench;

struct Options {
  std::filesystem::path mail, directory = std::filesystem::temp_directory_path() / "derived_size";
  uint32_t messages = 2000;
};

Options options_of(int argc, char** argv) {
  Options o;
  bool counted = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--mail") o.mail = value;
    if (name == "--messages") o.messages = static_cast<uint32_t>(std::atoi(value.c_str()));
    counted = counted || name == "--messages";
    if (name == "--dir") o.directory = value;
  }
  if (!o.mail.empty() && !counted) o.messages = 0;
  return o;
}

struct Opened {
  std::unique_ptr<Account> account;
  MailboxSnapshotPtr box;
  std::shared_ptr<DerivedData> data;
};

// As gateway/derived/engine does, in one go.
double make_entries(Opened& at) {
  const double start = cpu_now();
  gateway::derived::Maker maker;
  DerivedGroup group(gateway::derived::column_count);
  for (uint32_t i = 0; i < at.box->size(); ++i) {
    const Sha256 name = *at.box->body(i);
    if (at.data->has(name)) continue;
    BodyReader reader = need(at.account->open_body(name));
    const std::string text = need(reader.read_all(8u << 20));
    maker.add(group, name, wire::mail::scan(std::string_view(text)), true);
    if (group.full()) need(at.data->append(group));
    if (group.full()) group.clear();
  }
  need(at.data->append(group));
  return cpu_now() - start;
}

// What one column takes in the file, compressed by itself as it is there.
std::vector<uint64_t> column_sizes(Opened& at) {
  std::vector<uint64_t> sizes(gateway::derived::column_count);
  for (uint8_t c = 0; c < sizes.size(); ++c) {
    DerivedReader reader = at.data->reader();
    Buffer block, out;
    const auto put = [&] {
      out.clear();
      if (!block.empty()) sizes[c] += derived_compress(out, block.bytes()).stored;
      block.clear();
    };
    for (uint32_t i = 0; i < at.box->size(); ++i) {
      if (!reader.seek(*at.box->body(i))) std::exit(1);
      block.put_bytes(wire::base::as_bytes(reader.column(c).value()));
      if (block.size() >= derived_block_size) put();
    }
    put();
  }
  return sizes;
}

double envelopes(Opened& at) {
  const double start = cpu_now();
  DerivedReader reader = at.data->reader();
  size_t octets = 0;
  for (uint32_t i = 0; i < at.box->size(); ++i) {
    if (reader.seek(*at.box->body(i))) octets += reader.column(gateway::derived::envelope).value().size();
  }
  if (octets == 0) std::exit(1);
  return cpu_now() - start;
}

// A term that never matches, in the text of all messages, or in a field of their headers.
enum class In { body, text, subject };
double search(Opened& at, In where) {
  constexpr std::string_view term = "XYLOPHONE CONCERTO";
  const double start = cpu_now();
  DerivedReader reader = at.data->reader();
  gateway::imap::DerivedContent content(reader, [&](const Sha256& name) { return at.account->open_body(name); });
  size_t octets = 0;
  for (uint32_t i = 0; i < at.box->size(); ++i) {
    const Sha256 name = *at.box->body(i);
    const auto marks = reader.seek(name);
    if (!marks || !content.stand(name, *marks, gateway::derived::has_header_text)) std::exit(1);
    if (where == In::subject) {
      if (content.field_contains("Subject", term)) std::exit(1);
    } else {
      content.for_each_text(where == In::text, [&](std::string_view text) {
        octets += text.size();
        return !wire::mail::contains(text, term);
      });
    }
    if (content.lost()) std::exit(1);
  }
  if (octets == 0 && where != In::subject) std::exit(1);
  return cpu_now() - start;
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = options_of(argc, argv);
  PosixEnv env;
  uint64_t bytes = 0;
  Opened at;
  std::filesystem::remove_all(o.directory);
  {
    const Mail mail(o.mail, o.messages);
    at.account = need(Account::open(env, o.directory, {.create = true}));
    bytes = fill(*at.account, mail, {false, true});
    if (!pack(*at.account) || !at.account->close()) return 1;
  }
  at.account = need(Account::open(env, o.directory, {}));
  at.box = at.account->snapshot((*at.account->tree()->mailboxes.begin()).key);
  at.data = DerivedData::open(env, o.directory / "derived.data",
                              {at.account->id(), gateway::derived::content_number(), gateway::derived::column_count});
  const double making = make_entries(at);
  std::printf("{\"messages\":%u,\"mail_bytes\":%llu,\"making_cpu\":%.3f", at.box->size(),
              static_cast<unsigned long long>(bytes), making);
  const auto ratio = [&](uint64_t n) { return static_cast<double>(n) / static_cast<double>(bytes); };
  const char* names[] = {"envelope", "structure", "keys", "header_text", "body_text"};
  const std::vector<uint64_t> sizes = column_sizes(at);
  for (size_t c = 0; c < sizes.size(); ++c) std::printf(",\"%s\":%.4f", names[c], ratio(sizes[c]));
  std::printf(",\"file\":%.4f", ratio(at.data->stats().bytes));
  // The second of each: with the page cache warm.
  for (int i = 0; i < 2; ++i) {
    const double e = envelopes(at), body = search(at, In::body), text = search(at, In::text),
                 subject = search(at, In::subject);
    if (i == 0) continue;
    std::printf(",\"envelope_cpu\":%.3f,\"body_cpu\":%.3f,\"text_cpu\":%.3f,\"subject_cpu\":%.3f}\n", e, body, text,
                subject);
  }
  at = {};
  std::filesystem::remove_all(o.directory);
}
